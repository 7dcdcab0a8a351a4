package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// createExclusive makes a file that was not there, with mode 0600, such that
// at no moment a part of it stands under its name, whenever the process ends:
// it writes a file without a name, or a temporary sibling, and links it to the name,
// which fails where the name exists. What is lasting is on the disk then.
func createExclusive(path string, data []byte, durability durability) error {
	tidy(filepath.Dir(path))
	err := linkUnnamed(path, data, durability)
	if errors.Is(err, errors.ErrUnsupported) {
		err = linkTemporary(path, data)
	}
	if err != nil {
		return about(path, err)
	}
	if durability == passing {
		return nil
	}
	return syncDirectory(path)
}

// durability says whether a file has to outlast a power failure. To see to that is most
// of the work of writing a small file, for the disk and for the processor.
type durability int

const (
	lasting durability = iota
	// passing is what can be made again.
	passing
)

func linkTemporary(path string, data []byte) error {
	temporary, err := writeTemporary(path, data, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(temporary) //nolint:errcheck // What stays is removed by the next run.
	err = os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// File systems without hard links (FAT, some network mounts).
		err = createInPlace(path, data)
	}
	return err
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

// RemoveFile removes a file; one that is not there is removed already.
func RemoveFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return about(path, err)
	}
	return nil
}

// replace puts new content in a file's place, whole or not at all: write
// beside it, fsync, rename. A symbolic link stays and its target is replaced;
// an existing file's mode and owner are kept, a new one's mode is 0600.
func replace(path string, data []byte) error {
	target, err := resolve(path)
	if err != nil {
		return about(path, err)
	}
	mode := fs.FileMode(0o600)
	existing, err := os.Stat(target)
	switch {
	case err == nil:
		mode = existing.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return about(path, err)
	}
	temporary, err := writeTemporary(target, data, mode)
	if err != nil {
		return about(path, err)
	}
	if existing != nil {
		err = keepOwner(temporary, existing)
	}
	if err == nil {
		err = os.Rename(temporary, target)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return about(path, err)
	}
	return syncDirectory(target)
}

// replaceSecret is replace for what is its owner's alone: a mode that lets others read it
// is not kept.
func replaceSecret(path string, data []byte) error {
	if OthersMayRead(path) {
		if err := os.Chmod(path, 0o600); err != nil {
			return about(path, err)
		}
	}
	return replace(path, data)
}

// CheckReplaceable says why the file at a path could not be made or replaced: another file
// can't be made beside it, or, where its folder is to be made as well, beside that.
func CheckReplaceable(path string) error {
	target, err := resolve(path)
	if err != nil {
		return about(path, err)
	}
	folder := filepath.Dir(target)
	for {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(folder) == folder {
			break
		}
		folder = filepath.Dir(folder)
	}
	file, err := os.CreateTemp(folder, temporaryPattern(target))
	if err != nil {
		return about(target, err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// resolve follows symbolic links to the file that is to be replaced, which need
// not exist yet: a link that leads nowhere is where the file belongs.
func resolve(path string) (string, error) {
	// As many as Linux follows.
	for range 40 {
		target, err := os.Readlink(path)
		if err != nil {
			// No link, or nothing there.
			return path, nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", errors.New("too many levels of symbolic links")
}

// writeTemporary writes data to a new file beside path and makes sure it is on
// the disk. What processes that were killed left of earlier ones is removed
// before.
func writeTemporary(path string, data []byte, mode fs.FileMode) (string, error) {
	tidy(filepath.Dir(path))
	// os.CreateTemp creates exclusively, with mode 0600.
	file, err := os.CreateTemp(filepath.Dir(path), temporaryPattern(path))
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
