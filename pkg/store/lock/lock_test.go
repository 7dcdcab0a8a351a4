package lock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

func TestTry_OneAtATimeHasTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	first, err := Try(path)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	if second, err := Try(path); err != nil || second != nil {
		t.Errorf("a second one: %v, %v", second, err)
	}
	if err := first.Release(); err != nil {
		t.Error(err)
	}
	if err := first.Release(); err == nil {
		t.Error("it was released twice")
	}
	third, err := Try(path)
	if err != nil || third == nil {
		t.Fatalf("after its release: %v, %v", third, err)
	}
	if err := third.Release(); err != nil {
		t.Error(err)
	}
}

func TestWait_ItEndsWithItsReason(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	// kubectl's lock is an empty file.
	if err := os.WriteFile(path+Suffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	late, stop := context.WithDeadline(t.Context(), time.Now())
	defer stop()
	if held, err := Wait(late, path); held != nil || !errors.Is(err, outcome.ErrTimedOut) {
		t.Errorf("%v, %v", held, err)
	}
	// The time that the caller gives is not that of a lock that stays.
	if held, err := Acquire(late, path); held != nil || !errors.Is(err, outcome.ErrTimedOut) || outcome.Hint(err) != "" {
		t.Errorf("%v, %v", held, err)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if held, err := Acquire(interrupted, path); held != nil || !errors.Is(err, outcome.ErrInterrupted) {
		t.Errorf("%v, %v", held, err)
	}
}

func TestAcquire_WhatIsNotALockIsRefusedAtOnce(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "config")
	if err := os.Mkdir(path+Suffix, 0o700); err != nil {
		t.Fatal(err)
	}
	for about, err := range map[string]error{"Acquire": acquired(t, path), "Check": Check(path)} {
		if err == nil || !strings.Contains(err.Error(), "is not a regular file") || outcome.Hint(err) != "move it away" {
			t.Errorf("%s of a directory: %v", about, err)
		}
	}
	linked := filepath.Join(directory, "linked")
	if err := os.Symlink("elsewhere", linked+Suffix); err != nil {
		t.Skip(err)
	}
	for about, err := range map[string]error{"Acquire": acquired(t, linked), "Check": Check(linked)} {
		if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
			t.Errorf("%s of a symbolic link: %v", about, err)
		}
	}
	if err := Check(filepath.Join(directory, "free")); err != nil {
		t.Error(err)
	}
}

func acquired(t *testing.T, path string) error {
	t.Helper()
	held, err := Acquire(t.Context(), path)
	if held != nil {
		t.Errorf("%s is locked", path)
	}
	return err
}

func TestAcquire_ADirectoryThatTakesNoFilesIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "config"), filepath.Join(file+"-missing", "config")} {
		if err := acquired(t, path); err == nil {
			t.Errorf("%s: not an error", path)
		}
		if held, err := Try(path); held != nil || err == nil {
			t.Errorf("%s: %v, %v", path, held, err)
		}
	}
}

// TestCreateInPlace_ItIsExclusiveAsWell is for file systems without hard links.
func TestCreateInPlace_ItIsExclusiveAsWell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	l := &File{path: path + Suffix, program: Plugin}
	if held, err := l.createInPlace(); err != nil || !held {
		t.Fatal(held, err)
	}
	info, err := os.Stat(path + Suffix)
	if err != nil || guard.IsOpen(info.Mode()) {
		t.Errorf("%v, %v", info, err)
	}
	if text, err := os.ReadFile(path + Suffix); err != nil || string(text) != l.marker() {
		t.Errorf("%q, %v", text, err)
	}
	if held, err := (&File{path: path + Suffix}).createInPlace(); err != nil || held {
		t.Errorf("a second one: %v, %v", held, err)
	}
	if other, err := Try(path); err != nil || other != nil {
		t.Errorf("it was taken over from a process that is alive: %v, %v", other, err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if held, err := (&File{path: filepath.Join(path, "missing")}).createInPlace(); err == nil || held {
		t.Errorf("in a directory that does not exist: %v, %v", held, err)
	}
}

// TestTry_TheLockOfOneThatHasDiedIsTakenOver has a lock whose process holds nothing any more.
func TestTry_TheLockOfOneThatHasDiedIsTakenOver(t *testing.T) {
	for _, died := range []string{Plugin, Controller} {
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path+Suffix, []byte(died+beforeProcess+"12345678901234567890 on another machine\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		held, err := TryAs(Controller, path)
		if err != nil || held == nil {
			t.Fatal(held, err)
		}
		if other, err := Try(path); err != nil || other != nil {
			t.Errorf("a second one: %v, %v", other, err)
		}
		if text, err := os.ReadFile(path + Suffix); err != nil || string(text) != held.marker() || !strings.HasPrefix(string(text), "csr-onboard-controller, process ") {
			t.Errorf("%q, %v", text, err)
		}
		if err := held.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestCreateTemporary_ItIsOfThisProcessAndOfItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config"+Suffix)
	names := map[string]bool{}
	for range 3 {
		file, err := createTemporary(path)
		if err != nil {
			t.Fatal(err)
		}
		names[file.Name()] = true
		info, err := file.Stat()
		if err != nil || guard.IsOpen(info.Mode()) {
			t.Errorf("%v, %v", info, err)
		}
		if isOurs, err := filepath.Match(wholefile.TemporaryPattern(path), filepath.Base(file.Name())); err != nil || !isOurs || filepath.Dir(file.Name()) != filepath.Dir(path) {
			t.Errorf("%q, %v", file.Name(), err)
		}
		// As a lock is, it is removed while it is open.
		if err := errors.Join(os.Remove(file.Name()), file.Close()); err != nil {
			t.Error(err)
		}
	}
	if len(names) != 3 {
		t.Errorf("%v", names)
	}
}
