package store

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestRetiredKey_ARetiredKeyIsKeptAndNeverReplacesAnother(t *testing.T) {
	folder, err := UserFolder(t.TempDir(), "", "jane")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.RetireKey("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a key: %v", err)
	}
	create := func(key string) {
		t.Helper()
		if err := folder.CreateKey([]byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	create("first")
	path, err := folder.RetireKey("x")
	if err != nil || folder.HasKey() {
		t.Fatalf("%v, and there is still a key: %v", err, folder.HasKey())
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
	if _, err := folder.RetireKey("x"); err != nil || folder.HasKey() {
		t.Errorf("again: %v", err)
	}
	create("second")
	if _, err := folder.RetireKey("x"); !errors.Is(err, fs.ErrExist) || !folder.HasKey() {
		t.Errorf("another key: %v", err)
	}
	check("first")
}
