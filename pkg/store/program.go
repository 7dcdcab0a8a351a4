package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

// ErrForeignProgram is the error of a file that stands where a program was to be
// installed, and is another one.
var ErrForeignProgram = errors.New("there is another file of that name already")

// InstallProgram writes a small program that everybody may run (mode 0755). One that
// is there with the same content stays; another file is never replaced and is
// ErrForeignProgram.
func InstallProgram(path string, data []byte) error {
	existing, err := ReadFile(path)
	switch {
	case err == nil && bytes.Equal(existing, data):
		return nil
	case err == nil:
		return fmt.Errorf("%q: %w", path, ErrForeignProgram)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // Programs are for everybody, and so is a directory on PATH.
		return trouble.About(path, err)
	}
	return CreateFile(installedProgram, path, data)
}
