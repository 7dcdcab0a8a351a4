package store

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestRetiredKey_ARetiredKeyIsKeptAndNeverReplacesAnother(t *testing.T) {
	directory, err := UserDirectoryOf(t.TempDir(), "", "jane")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := directory.RetireKey("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a key: %v", err)
	}
	create := func(key string) {
		t.Helper()
		if err := directory.CreateKey([]byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	create("first")
	path, err := directory.RetireKey("x")
	if err != nil || directory.HasKey() {
		t.Fatalf("%v, and there is still a key: %v", err, directory.HasKey())
	}
	check := func(want string) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != want {
			t.Errorf("%q is kept, %v", kept, err)
		}
	}
	check("first")
	// A run that was interrupted left both.
	create("first")
	if _, err := directory.RetireKey("x"); err != nil || directory.HasKey() {
		t.Errorf("again: %v", err)
	}
	create("second")
	if _, err := directory.RetireKey("x"); !errors.Is(err, fs.ErrExist) || !directory.HasKey() {
		t.Errorf("another key: %v", err)
	}
	check("first")
}
