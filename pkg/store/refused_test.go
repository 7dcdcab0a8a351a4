//go:build linux && (amd64 || arm64)

package store

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// without runs something on a thread for which the kernel answers a system call with an error
// (seccomp(2)), as a file system does that cannot do it or is broken. The thread ends with it.
func without(t *testing.T, call uint32, failure syscall.Errno, run func()) {
	t.Helper()
	const refuse, allow = 0x00050000, 0x7fff0000 // SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: call},
		{Code: unix.BPF_RET | unix.BPF_K, K: refuse | uint32(failure)}, //nolint:gosec // Errors have small numbers.
		{Code: unix.BPF_RET | unix.BPF_K, K: allow},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]} //nolint:gosec // Four.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		defer func() { done <- err }()
		if err == nil {
			err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0) //nolint:gosec // As prctl(2) wants it.
		}
		if err == nil {
			run()
		}
	}()
	if err := <-done; err != nil {
		t.Skipf("a system call cannot be refused here: %v", err)
	}
}

// TestWholefile_WithoutHardLinksFilesAreCreatedAndLockedAllTheSame is about FAT and some network mounts.
func TestWholefile_WithoutHardLinksFilesAreCreatedAndLockedAllTheSame(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "file")
	without(t, unix.SYS_LINKAT, syscall.EPERM, func() {
		for _, k := range []*Kind{SignedCertificate, installedProgram} {
			if err := CreateFile(k, path, []byte("first")); err != nil {
				t.Errorf("%s: %v", k.name, err)
			}
			if err := CreateFile(k, path, []byte("second")); !errors.Is(err, os.ErrExist) {
				t.Errorf("%s, again: %v", k.name, err)
			}
			holds(t, path, "first")
			if mode := modeOf(t, path).Perm(); mode != k.mode {
				t.Errorf("%s has mode %v", k.name, mode)
			}
			onlyFiles(t, directory, "file")
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
		held, err := lock.Try(path)
		if err != nil || held == nil {
			t.Errorf("a lock: %v, %v", held, err)
			return
		}
		onlyFiles(t, directory, "file"+lock.Suffix)
		if text, err := os.ReadFile(path + lock.Suffix); err != nil || !strings.HasPrefix(string(text), lock.MarkerPrefix) {
			t.Errorf("the lock holds %q, %v", text, err)
		}
		if other, err := lock.Try(path); err != nil || other != nil {
			t.Errorf("a second one: %v, %v", other, err)
		}
		if err := held.Release(); err != nil {
			t.Error(err)
		}
	})
	onlyFiles(t, directory)
}

// TestStore_AFileOfWhichTheKernelSaysNothingIsNotUsed refuses fstat(2), by which an open file is judged.
func TestStore_AFileOfWhichTheKernelSaysNothingIsNotUsed(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "D")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(directory, "file")
	write(t, path, "old", 0o600)
	without(t, unix.SYS_FSTAT, syscall.EIO, func() {
		_, readErr := ReadFile(path)
		_, secretErr := ReadSecret(path)
		_, keyErr := ReadFileOf(privateKey, path)
		_, sharedErr := readShared(path)
		for about, err := range map[string]error{
			"read": readErr, "read as a secret": secretErr, "read as a key": keyErr, "read as shared": sharedErr,
			"checked": CheckNamedFile(path), "read as a log": EachLine(path, func(int, []byte) error { return nil }),
			"updated": UpdateFile(t.Context(), Handoff, path, to("new")), "merged": updateShared(t.Context(), path, to("new")),
		} {
			if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", about, err)
			}
		}
	})
	holds(t, path, "old")
	onlyFiles(t, directory, "file")
	// The lock of one that has died is judged by its open file as well.
	write(t, path+lock.Suffix, lock.MarkerPrefix+"1", 0o600)
	without(t, unix.SYS_FSTAT, syscall.EIO, func() {
		if held, err := lock.Try(path); held != nil || !errors.Is(err, syscall.EIO) {
			t.Errorf("%v, %v", held, err)
		}
	})
	onlyFiles(t, directory, "file", "file"+lock.Suffix)
}

// TestStore_WhatCannotBeMadeSafeIsNotMade refuses modes, syncs and the kernel's locks.
func TestStore_WhatCannotBeMadeSafeIsNotMade(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "file")
	write(t, path, "old", 0o600)
	missing := filepath.Join(directory, "new")
	for about, test := range map[string]struct {
		call uint32
		run  map[string]func() error
	}{
		"fchmod": {unix.SYS_FCHMOD, map[string]func() error{
			"create":         func() error { return CreateFile(installedProgram, missing, []byte("new")) },
			"link temporary": func() error { return new(wholefile.Directories).LinkTemporary(missing, []byte("new"), 0o644) },
			"merge":          func() error { return updateShared(t.Context(), path, to("new")) },
		}},
		"fsync": {unix.SYS_FSYNC, map[string]func() error{
			"create":  func() error { return CreateFile(SignedCertificate, missing, []byte("new")) },
			"replace": func() error { return updateShared(t.Context(), path, to("new")) },
		}},
		"flock": {unix.SYS_FLOCK, map[string]func() error{
			"lock":  func() error { _, err := lock.Try(missing); return err },
			"merge": func() error { return updateShared(t.Context(), path, to("new")) },
		}},
	} {
		without(t, test.call, syscall.EIO, func() {
			for name, run := range test.run {
				if err := run(); !errors.Is(err, syscall.EIO) {
					t.Errorf("without %s, %s: %v", about, name, err)
				}
				onlyFiles(t, directory, "file")
			}
		})
	}
	holds(t, path, "old")
}
