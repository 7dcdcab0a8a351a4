//go:build unix

package guard

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// stranger is a user that no machine has.
const stranger = 1 << 30

// directory is one that only this user can write to.
func directory(t *testing.T, name string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

// give makes a file, or a symbolic link, another user's.
func give(t *testing.T, path string) {
	t.Helper()
	if EffectiveUser() != 0 {
		t.Skip("only root can give files away")
	}
	if err := os.Lchown(path, stranger, -1); err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, about string, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error()+outcome.Hint(err), says) {
		t.Errorf("%s: %v, hint %q, want %q", about, err, outcome.Hint(err), says)
	}
}

func TestPrivate_OnlyADirectoryOfOnesOwnIsPrivate(t *testing.T) {
	own := directory(t, "own", 0o700)
	if err := Private(own); err != nil {
		t.Error(err)
	}
	refused(t, "one that does not exist", Private(filepath.Join(own, "missing")), "missing")
	refused(t, "one that others can read", Private(directory(t, "open", 0o750)), "chmod 700")
	file, link := filepath.Join(own, "file"), filepath.Join(own, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(own, link)); err != nil {
		t.Fatal(err)
	}
	refused(t, "a file", Private(file), "is not a directory")
	refused(t, "a symbolic link", Private(link), "is a symbolic link")
	inOpen := filepath.Join(directory(t, "shared", 0o777), "own")
	if err := os.Mkdir(inOpen, 0o700); err != nil {
		t.Fatal(err)
	}
	refused(t, "one in a directory of everybody", Private(inOpen), "others than its owner can write")
	give(t, own)
	refused(t, "one of another user", Private(own), "belongs to uid "+strconv.Itoa(stranger))
}

func TestGuarded_NobodyElseCanExchangeWhatIsOnTheWay(t *testing.T) {
	own := directory(t, "own", 0o755)
	below := filepath.Join(own, "below")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Guarded(below); err != nil {
		t.Error(err)
	}
	relative := filepath.Join(own, "relative")
	if err := os.Symlink("below", relative); err != nil {
		t.Fatal(err)
	}
	if err := Guarded(relative); err != nil {
		t.Error(err)
	}
	refused(t, "one that does not exist", Guarded(filepath.Join(own, "missing")), "missing")
	file := filepath.Join(own, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "a file on the way", Guarded(filepath.Join(file, "below")), "")
	open := directory(t, "open", 0o777)
	refused(t, "a directory of everybody", Guarded(open), "chmod go-w")
	lead := filepath.Join(own, "lead")
	if err := os.Symlink(open, lead); err != nil {
		t.Fatal(err)
	}
	refused(t, "a link to a directory of everybody", Guarded(lead), "chmod go-w")
	if err := os.Chmod(open, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := Guarded(open); err != nil {
		t.Errorf("a sticky one, such as /tmp: %v", err)
	}
	circle := filepath.Join(own, "circle")
	if err := os.Symlink(circle, circle); err != nil {
		t.Fatal(err)
	}
	if err := Guarded(circle); !errors.Is(err, ErrTooManyLinks) {
		t.Errorf("a link to itself: %v", err)
	}
	give(t, relative)
	refused(t, "a link of another user", Guarded(relative), "can lead it elsewhere")
	give(t, own)
	refused(t, "a directory of another user above", Guarded(below), "can exchange the files in it")
}

func TestIsTrusted_WithSudoWhoCalledItIs(t *testing.T) {
	if !IsTrusted(EffectiveUser()) || !IsTrusted(0) || IsTrusted(stranger) {
		t.Errorf("this user %v, root %v, a stranger %v", IsTrusted(EffectiveUser()), IsTrusted(0), IsTrusted(stranger))
	}
	t.Setenv("SUDO_UID", strconv.Itoa(stranger))
	if got := IsTrusted(stranger); got != (EffectiveUser() == 0) {
		t.Errorf("with sudo: %v", got)
	}
}

func TestIsWritableByEverybody_WhatCannotBeReadCounts(t *testing.T) {
	for path, want := range map[string]bool{directory(t, "own", 0o755): false, directory(t, "open", 0o777): true, filepath.Join(t.TempDir(), "missing"): true} {
		if got := IsWritableByEverybody(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestIsOpen_GroupAndOthersCount(t *testing.T) {
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o700: false, 0o640: true, 0o601: true} {
		if got := IsOpen(mode); got != want {
			t.Errorf("%04o: %v", mode, got)
		}
	}
}
