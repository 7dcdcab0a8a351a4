package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

func TestWrite_AnOwnFileIsCreatedAndThenChangedUnderItsLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory", "jane.kubeconfig")
	var seen []byte
	change := func(existing []byte) ([]byte, error) {
		seen = existing
		return append(existing, "x"...), nil
	}
	for _, want := range []string{"x", "xx"} {
		if err := UpdateFile(context.Background(), UserKubeconfig, path, change); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != want {
			t.Errorf("the file holds %q, %v, want %q", data, err, want)
		}
	}
	if string(seen) != "x" {
		t.Errorf("the second change saw %q", seen)
	}
	if mode := modeOf(t, path).Perm(); mode != 0o600 {
		t.Errorf("the mode is %v", mode)
	}
	if mode := modeOf(t, filepath.Dir(path)).Perm(); mode != 0o700 {
		t.Errorf("the directory's mode is %v", mode)
	}
	onlyFiles(t, filepath.Dir(path), "jane.kubeconfig")
}

func TestWrite_AnOwnFileThatAppearsMeanwhileIsNotLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jane.kubeconfig")
	appeared := false
	err := UpdateFile(context.Background(), UserKubeconfig, path, func(existing []byte) ([]byte, error) {
		if !appeared {
			appeared = true
			write(t, path, "theirs", 0o600)
		}
		return append(existing, " and ours"...), nil
	})
	if data, _ := os.ReadFile(path); err != nil || string(data) != "theirs and ours" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

func TestWrite_AFileWithoutANameIsLinkedWholeAndNeverOverAnother(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "jane.key")
	switch err := wholefile.LinkUnnamed(path, []byte("key"), 0o600, wholefile.Lasting); {
	case errors.Is(err, errors.ErrUnsupported):
		t.Skipf("not on %s, or not in %s", runtime.GOOS, directory)
	case err != nil:
		t.Fatal(err)
	}
	if err := wholefile.LinkUnnamed(path, []byte("other"), 0o600, wholefile.Lasting); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v, want fs.ErrExist", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "key" {
		t.Errorf("the file holds %q, %v", data, err)
	}
	if mode := modeOf(t, path); mode != 0o600 {
		t.Errorf("the mode is %v", mode)
	}
	onlyFiles(t, directory, "jane.key")
}

func TestWrite_WithoutUnnamedFilesTheWayIsATemporarySibling(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "jane.key")
	if err := new(wholefile.Directories).LinkTemporary(path, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := new(wholefile.Directories).LinkTemporary(path, []byte("other"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v, want fs.ErrExist", err)
	}
	onlyFiles(t, directory, "jane.key")
}

func TestWrite_ASyncIsSharedAndBeginsAfterItWasAskedFor(t *testing.T) {
	var d wholefile.DirectorySync
	var begun, syncs atomic.Int64
	release := make(chan struct{})
	first := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		d.Run(func() {
			syncs.Add(1)
			close(first)
			<-release
		})
	})
	<-first
	// Those who come while it runs need one that begins later, and one is enough.
	for range 20 {
		group.Go(func() {
			begun.Add(1)
			asked := syncs.Load()
			d.Run(func() { syncs.Add(1) })
			if syncs.Load() == asked {
				t.Error("it returned without a sync that began after it was asked for")
			}
		})
	}
	for begun.Load() < 20 {
		runtime.Gosched()
	}
	close(release)
	group.Wait()
	if n := syncs.Load(); n < 2 || n > 20 {
		t.Errorf("there were %d syncs", n)
	}
}

func TestWrite_AProgramIsInstalledOnceAndNeverOverAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bin", "program")
	for range 2 {
		if err := InstallProgram(path, []byte("#!/bin/sh\n")); err != nil {
			t.Fatal(err)
		}
	}
	if mode := modeOf(t, path).Perm(); mode != 0o755 {
		t.Errorf("the mode is %v", mode)
	}
	if err := InstallProgram(path, []byte("another")); !errors.Is(err, ErrForeignProgram) {
		t.Errorf("%v, want ErrForeignProgram", err)
	}
}
