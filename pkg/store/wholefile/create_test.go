package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// ways are how a file is created, from the best to that of file systems without hard links.
func ways() map[string]func(path string, data []byte, mode fs.FileMode) error {
	return map[string]func(path string, data []byte, mode fs.FileMode) error{
		"create": func(path string, data []byte, mode fs.FileMode) error {
			return new(Directories).Create(path, data, mode, Lasting)
		},
		"link a temporary file": new(Directories).LinkTemporary,
		"in place":              createInPlace,
	}
}

func TestCreate_EveryWayMakesAFileThatWasNotThere(t *testing.T) {
	for name, create := range ways() {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []fs.FileMode{0o600, 0o644} {
				directory := t.TempDir()
				path := filepath.Join(directory, "file")
				if err := create(path, []byte("text"), mode); err != nil {
					t.Fatal(err)
				}
				text, err := os.ReadFile(path)
				if err != nil || string(text) != "text" {
					t.Errorf("%q, %v", text, err)
				}
				if info, err := os.Stat(path); err != nil || info.Mode() != mode {
					t.Errorf("mode %v, %v", info.Mode(), err)
				}
				if err := create(path, []byte("other"), mode); !errors.Is(err, fs.ErrExist) {
					t.Errorf("a file that exists: %v", err)
				}
				if text, _ := os.ReadFile(path); string(text) != "text" {
					t.Errorf("it was replaced by %q", text)
				}
				if entries, _ := os.ReadDir(directory); len(entries) != 1 {
					t.Errorf("%d files are left", len(entries))
				}
			}
		})
	}
}

func TestCreate_WhereNoFileCanBeMadeNothingIsLeft(t *testing.T) {
	for name, create := range ways() {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			file := filepath.Join(directory, "file")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]error{
				filepath.Join(directory, "missing", "file"): fs.ErrNotExist,
				filepath.Join(file, "below"):                syscall.ENOTDIR,
			} {
				if err := create(path, []byte("text"), 0o600); !errors.Is(err, want) {
					t.Errorf("%s: %v", path, err)
				}
			}
			if entries, _ := os.ReadDir(directory); len(entries) != 1 {
				t.Errorf("%d files are left", len(entries))
			}
		})
	}
}

func TestFill_AFileThatCannotBeWrittenIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Fill(file, []byte("other")); err == nil {
		t.Error("a file that is open to read only was filled")
	}
	if err := SetMode(file, 0o644); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the mode of a file that is closed: %v", err)
	}
	err = new(Directories).Replace(path, []byte("other"), func(file *os.File) error { return file.Close() }, func() bool { return true })
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a temporary file that is closed: %v", err)
	}
	prepareErr := errors.New("not prepared")
	if err := new(Directories).Replace(path, nil, func(*os.File) error { return prepareErr }, nil); !errors.Is(err, prepareErr) {
		t.Errorf("a temporary file that cannot be prepared: %v", err)
	}
	if err := new(Directories).Replace(path, nil, func(*os.File) error { return nil }, func() bool { return false }); !errors.Is(err, ErrExchanged) {
		t.Errorf("a file that was exchanged: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if text, readErr := os.ReadFile(path); readErr != nil || string(text) != "text" || err != nil || len(entries) != 1 {
		t.Errorf("%q; %d files are left; %v, %v", text, len(entries), readErr, err)
	}
}
