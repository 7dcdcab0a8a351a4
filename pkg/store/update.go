package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadFile reads a file that the person named; fs.ErrNotExist if there is none.
func ReadFile(path string) ([]byte, error) {
	data, _, err := read(path)
	return data, err
}

// UpdateFile changes a file that other programs change, too: it takes the lock
// that kubectl takes (FILE.lock), reads what is there, has it changed, and
// replaces it whole, all while the lock is held. A file that is not there is
// handed to change as nil; what is unchanged is not written. A file that is
// replaced keeps its mode, owner and symbolic links; a new one has mode 0600, and
// folders that are missing are made with mode 0700.
func UpdateFile(ctx context.Context, path string, change func(existing []byte) ([]byte, error)) (err error) {
	target, err := resolve(path)
	if err != nil {
		return about(path, err)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return about(path, err)
	}
	// kubectl locks the name that it was given, not what a link leads to; who
	// locks both is safe from either.
	names := []string{path}
	if target != path {
		names = append(names, target)
	}
	for _, name := range names {
		lock, lockError := acquireLock(ctx, name)
		if lockError != nil {
			return lockError
		}
		defer func() { err = errors.Join(err, lock.release()) }()
	}
	existing, err := ReadFile(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	changed, err := change(existing)
	if err != nil {
		return err
	}
	if existing != nil && bytes.Equal(existing, changed) {
		return nil
	}
	return replace(target, changed)
}
