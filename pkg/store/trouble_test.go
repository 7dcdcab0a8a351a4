package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

func TestTrouble_EachTroubleWithTheDiskHasItsHint(t *testing.T) {
	directory := t.TempDir()
	missing := filepath.Join(directory, "away", "jane.key")
	for _, test := range []struct {
		About string
		err   error
		hint  string
	}{
		{"no permission", syscall.EACCES, "see who can read and write there: ls -ld " + directory},
		{"an operation that is not permitted", syscall.EPERM, "see who can read and write there: ls -ld " + directory},
		{"a file system that is read-only", syscall.EROFS, "the file system is read-only there"},
		{"a disk that is full", syscall.ENOSPC, "no space is left there"},
		{"a quota that is used up", syscall.EDQUOT, "no space is left there"},
		{"a directory in the place of a file", syscall.EISDIR, "it is a directory: name a file in it"},
		{"a file in the place of a directory", syscall.ENOTDIR, "a part of that path is a file"},
		{"a file that does not exist", syscall.ENOENT, ""},
	} {
		for _, wrapped := range []error{&fs.PathError{Op: "open", Path: "/temporary", Err: test.err}, &os.LinkError{Op: "link", Old: "/temporary", New: "/b", Err: test.err}} {
			err := trouble.About(missing, wrapped)
			if hint := outcome.Hint(err); !strings.HasPrefix(hint, test.hint) || test.hint == "" && hint != "" {
				t.Errorf("%s: the hint is %q, want %q", test.About, hint, test.hint)
			}
			if strings.Contains(err.Error(), "/temporary") {
				t.Errorf("%s: it names a temporary file: %v", test.About, err)
			}
		}
	}
}

func TestTrouble_ADirectoryIsNotCalledAFileToBeMadePrivate(t *testing.T) {
	directory := t.TempDir()
	if err := os.Chmod(directory, 0o755); err != nil { //nolint:gosec // As /etc is.
		t.Fatal(err)
	}
	if OthersMayRead(directory) {
		t.Error("a directory is said to hold a secret that others may read")
	}
	_, err := ReadFile(directory)
	if hint := outcome.Hint(err); !strings.Contains(hint, "it is a directory: name a file in it") {
		t.Errorf("%v, hint %q", err, hint)
	}
	file := filepath.Join(directory, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = TryLock(filepath.Join(file, "below", "x"))
	if hint := outcome.Hint(err); !strings.Contains(hint, "a part of that path is a file") {
		t.Errorf("%v, hint %q", err, hint)
	}
}
