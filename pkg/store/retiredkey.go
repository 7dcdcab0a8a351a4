package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// RetireKey moves the private key aside, so that another can be created, and returns where
// it is: USER-SUFFIX.key in the same directory. The request, which can be made of the key
// again, is left to be replaced. Another key that is there under the new name stays, and
// the error is fs.ErrExist. At every moment one of the two names has the key.
func (d UserDirectory) RetireKey(suffix string) (path string, _ error) {
	path = filepath.Join(d.directory, d.base+"-"+suffix+".key")
	key, err := d.ReadKey()
	if err != nil {
		return "", err
	}
	err = d.key.createFile(d.directories(), path, key)
	if errors.Is(err, fs.ErrExist) {
		// An earlier run was interrupted here.
		if kept, readErr := ReadFileOf(d.key, path); readErr == nil && bytes.Equal(kept, key) {
			err = nil
		}
	}
	if err != nil {
		return "", fmt.Errorf("cannot move the private key %q aside: %w", d.KeyPath(), err)
	}
	return path, RemoveFile(d.KeyPath())
}
