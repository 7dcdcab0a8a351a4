package store

import (
	"errors"
	"fmt"
	"io/fs"
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

func TestEnforcement_FilesHaveTheNamesAndModesOfTheDocumentation(t *testing.T) {
	t.Chdir(t.TempDir())
	directory, err := EnforcementIn("enforce")
	if err != nil {
		t.Fatal(err)
	}
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	absolute := filepath.Join(working, "enforce")
	if directory.Path() != absolute || directory.String() != `"`+absolute+`"` {
		t.Errorf("%q is called %s", directory.Path(), directory)
	}
	if err := directory.Make(); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, absolute).Perm(); mode != 0o700 {
		t.Errorf("the directory's mode is %v", mode)
	}
	for name, path := range map[string]string{
		"authorization.yaml": directory.AuthorizationPath(),
		"last-good.yaml":     directory.LastGoodPath(),
		"base.yaml":          directory.BasePath(),
		"list.json":          directory.ListPath(),
		"denier.kubeconfig":  directory.DenierPath(),
	} {
		if path != filepath.Join(absolute, name) {
			t.Errorf("%s is %q", name, path)
		}
		if _, err := directory.Read(path); !IsMissing(err) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s before it is written: %v", name, err)
		}
		for _, content := range []string{"first", "second"} {
			if err := directory.Write(path, []byte(content)); err != nil {
				t.Fatal(err)
			}
			if data, err := directory.Read(path); err != nil || string(data) != content {
				t.Errorf("%s: %q, %v", name, data, err)
			}
		}
		if mode := modeOf(t, path).Perm(); mode != 0o600 {
			t.Errorf("the mode of %s is %v", name, mode)
		}
	}
	onlyFiles(t, absolute, "authorization.yaml", "base.yaml", "denier.kubeconfig", "last-good.yaml", "list.json")
}

func TestEnforcement_TheDeniersKeyIsSecret(t *testing.T) {
	directory, err := EnforcementIn(filepath.Join(t.TempDir(), "enforce"))
	if err != nil {
		t.Fatal(err)
	}
	if err := directory.Make(); err != nil {
		t.Fatal(err)
	}
	if _, err := directory.ReadDenierKey(); !IsMissing(err) {
		t.Errorf("before it is written: %v", err)
	}
	if err := directory.WriteDenierKey([]byte("key")); err != nil {
		t.Fatal(err)
	}
	if data, err := directory.ReadDenierKey(); err != nil || string(data) != "key" {
		t.Errorf("%q, %v", data, err)
	}
	path := filepath.Join(directory.Path(), "denier.pem")
	if mode := modeOf(t, path).Perm(); mode != 0o600 {
		t.Errorf("the mode is %v", mode)
	}
	if err := os.Chmod(path, 0o640); err != nil { //nolint:gosec // Too open on purpose.
		t.Fatal(err)
	}
	if _, err := directory.ReadDenierKey(); err == nil || IsMissing(err) {
		t.Errorf("a key that others can read: %v", err)
	}
}

func TestEnforcement_OneEnforcerAtATimeWorksInADirectory(t *testing.T) {
	directory, err := EnforcementIn(filepath.Join(t.TempDir(), "enforce"))
	if err != nil {
		t.Fatal(err)
	}
	if err := directory.Make(); err != nil {
		t.Fatal(err)
	}
	release, err := directory.Lock()
	if err != nil {
		t.Fatal(err)
	}
	holder := fmt.Sprintf("already (csr-onboard-controller, process %d on ", os.Getpid())
	if _, err := directory.Lock(); !errors.Is(err, outcome.ErrRefused) || !strings.Contains(err.Error(), directory.String()) || !strings.Contains(err.Error(), holder) || strings.ContainsAny(err.Error(), "\n\\") || outcome.Hint(err) == "" {
		t.Errorf("a second enforcer: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = directory.Lock()
	if err != nil {
		t.Fatalf("after the first one: %v", err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
