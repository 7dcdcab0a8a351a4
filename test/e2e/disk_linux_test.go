package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mountSmall mounts a file system of a few pages in the session's directory D, for
// as long as the test lasts.
func mountSmall(t *testing.T, s *session) string {
	t.Helper()
	directory := s.path("D")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, "size=32k,mode=0700"); err != nil {
		t.Skipf("a file system can't be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, 0); err != nil {
			t.Error(err)
		}
	})
	return directory
}

func TestDisk_AFullFileSystemLosesNothing(t *testing.T) {
	s := newSession(t, shared)
	directory := mountSmall(t, s)
	s.must("new-user", "cramped", "--dir", "D", "--approve")
	before := s.read("D", "cramped.kubeconfig")
	filler, err := os.Create(filepath.Join(directory, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 512))
	}
	_ = filler.Close()

	s.check(s.run("fetch", "cramped", "--dir", "D"), expect{1, []string{"the kubeconfig was not written", "no space left on device"}})
	if string(s.read("D", "cramped.kubeconfig")) != string(before) {
		t.Error("the kubeconfig was changed")
	}
	s.check(s.run("new-user", "squeezed", "--dir", "D"), expect{1, []string{"the private key cannot be written", "no space left on device", "--dir DIR"}})
	if _, exists := s.readIfThere("D", "squeezed.key"); exists {
		t.Error("a part of a key was left")
	}
	if leftovers := temporaryFiles(t, directory); len(leftovers) > 0 {
		t.Errorf("temporary files were left: %v", leftovers)
	}
}

func TestDisk_AReadOnlyFileSystemIsSaid(t *testing.T) {
	s := newSession(t, shared)
	directory := mountSmall(t, s)
	s.must("new-user", "fixed", "--dir", "D", "--approve")
	if err := syscall.Mount("", directory, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	s.check(s.run("new-user", "late", "--dir", "D"), expect{1, []string{"the private key cannot be written", "read-only file system", "--dir DIR"}})
	s.check(s.run("fetch", "fixed", "--dir", "D"), expect{1, []string{"the kubeconfig was not written", "read-only file system"}})
	s.must("new-user", "signed-late", "--dir", "E", "--offline")
	sign := append([]string{"sign", "E/signed-late.csr", "--yes", "--log", "log", "--out", "D/signed-late.crt"}, authorityOf(s)...)
	s.check(s.run(sign...), expect{1, []string{"read-only file system", "--out FILE"}})
	if log, exists := s.readIfThere("log"); exists {
		t.Errorf("a certificate was issued: %s", log)
	}
	if printed := s.must("fetch", "fixed", "--dir", "D", "--out", "elsewhere"); strings.TrimSpace(printed.Stdout) != "elsewhere" {
		t.Errorf("standard output is %q", printed.Stdout)
	}
}
