package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestEnforcement_ARefusalNamesNoFlagOfAnotherProgram(t *testing.T) {
	private := filepath.Join(t.TempDir(), "private")
	open := filepath.Join(t.TempDir(), "open")
	below := filepath.Join(open, "below")
	for path, mode := range map[string]os.FileMode{private: 0o700, open: 0o777, below: 0o700} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(private, "link")
	if err := os.Symlink(private, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{open, below, link} {
		directory, err := EnforcementIn(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = directory.Lock()
		if hint := outcome.Hint(err); err == nil || hint == "" || strings.Contains(hint, "--") {
			t.Errorf("%s: %v, %q", path, err, hint)
		}
	}
}
