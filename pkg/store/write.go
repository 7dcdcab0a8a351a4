package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// createExclusive makes a file that was not there, with mode 0600, such that
// at no moment a part of it stands under its name, whenever the process ends:
// it writes a temporary sibling and links it to the name, which fails where
// the name exists.
func createExclusive(path string, data []byte) error {
	temporary, err := writeTemporary(path, data, 0o600)
	if err != nil {
		return about(path, err)
	}
	defer os.Remove(temporary) //nolint:errcheck // What stays has no reader but its owner.
	err = os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// File systems without hard links (FAT, some network mounts).
		err = createInPlace(path, data)
	}
	if err != nil {
		return about(path, err)
	}
	return syncDirectory(path)
}

func createInPlace(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(file, data); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// replace puts new content in a file's place, whole or not at all: write
// beside it, fsync, rename. A symbolic link stays and its target is replaced;
// an existing file's mode is kept, a new one's is 0600.
func replace(path string, data []byte) error {
	target := path
	mode := fs.FileMode(0o600)
	switch resolved, err := filepath.EvalSymlinks(path); {
	case err == nil:
		target = resolved
		info, err := os.Stat(target)
		if err != nil {
			return about(path, err)
		}
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return about(path, err)
	}
	temporary, err := writeTemporary(target, data, mode)
	if err != nil {
		return about(path, err)
	}
	if err := os.Rename(temporary, target); err != nil {
		_ = os.Remove(temporary)
		return about(path, err)
	}
	return syncDirectory(target)
}

// writeTemporary writes data to a new file beside path and makes sure it is on
// the disk.
func writeTemporary(path string, data []byte, mode fs.FileMode) (string, error) {
	// os.CreateTemp creates exclusively, with mode 0600.
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return "", err
	}
	if mode != 0o600 {
		if err := file.Chmod(mode); err != nil {
			return "", errors.Join(err, file.Close(), os.Remove(file.Name()))
		}
	}
	if err := fill(file, data); err != nil {
		_ = os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

// fill writes, syncs and closes a file.
func fill(file *os.File, data []byte) error {
	_, err := file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDirectory makes a new name durable. Some file systems can't sync a
// directory and need not: an error there is no failure.
func syncDirectory(path string) error {
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil
	}
	_ = directory.Sync()
	return directory.Close()
}
