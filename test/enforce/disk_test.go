package enforce

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// mounted mounts something at a directory until the end of the test.
func mounted(t *testing.T, source, directory, kind string, flags uintptr, options string) {
	t.Helper()
	err := syscall.Mount(source, directory, kind, flags, options)
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") == "" {
		t.Skip("file systems cannot be mounted here")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill leaves no room on the disk of a directory.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // It is full.
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, io.ErrShortWrite) {
			t.Fatal(err)
		}
	}
}

// TestDisk_WhatWasInForceStaysInForce has the enforcer write to a disk that is full, and to one
// that is read-only.
func TestDisk_WhatWasInForceStaysInForce(t *testing.T) {
	root := t.TempDir()
	mounted(t, "tmpfs", root, "tmpfs", 0, "size=1m,mode=0700")
	c := launched(t, root, 1)
	n, admin := c.nodes[0], c.plane.Kubeconfig
	before, later, free := c.user(t, "ada"), c.user(t, "ben"), c.user(t, "cid")
	c.untilWell(t)
	c.must(t, "revoke", "ada")
	ended := c.watchFor(t, before)
	check := func(about string, isLaterRefused bool) {
		t.Helper()
		if !isRefusedAt(t, before, n.server) || isRefusedAt(t, later, n.server) != isLaterRefused || isRefusedAt(t, free, n.server) {
			t.Errorf("%s: %v %v %v", about, isRefusedAt(t, before, n.server), isRefusedAt(t, later, n.server), isRefusedAt(t, free, n.server))
		}
	}
	filler := filepath.Join(root, "filler")
	fill(t, filler)
	expect(t, c.run(t, admin, "revoke", "ben", "--timeout", "3s"), 1, "not known to be in force at 1 of 1 API server", "no space left on device")
	check("a full disk", false)
	expect(t, c.run(t, admin, "revocations"), 1, "NOT in force", "no space left on device")
	// Also for an enforcer that starts then.
	n.restart(t)
	c.untilProblem(t, "no space left on device")
	check("a full disk, and a restart", false)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.untilWell(t)
	check("room again", true)

	mounted(t, n.directory, n.directory, "", syscall.MS_BIND, "")
	if err := syscall.Mount("", n.directory, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	expect(t, c.run(t, admin, "revoke", "cid", "--timeout", "3s"), 1, "not known to be in force at 1 of 1 API server", "read-only file system")
	check("a read-only directory", true)
	if err := syscall.Mount("", n.directory, "", syscall.MS_BIND|syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	c.untilWell(t)
	c.untilRefused(t, free, true)
	if passed := ended(); passed > 0 {
		t.Errorf("the revoked user passed %d times", passed)
	}
}
