package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// createExclusive makes a file that was not there, such that
// at no moment a part of it stands under its name, whenever the process ends:
// it writes a file without a name, or a temporary sibling, and links it to the name,
// which fails where the name exists. What is lasting is on the disk then.
func createExclusive(path string, data []byte, mode fs.FileMode, durability durability) error {
	tidy(filepath.Dir(path))
	err := linkUnnamed(path, data, mode, durability)
	if errors.Is(err, errors.ErrUnsupported) {
		err = linkTemporary(path, data, mode)
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

func linkTemporary(path string, data []byte, mode fs.FileMode) error {
	temporary, err := writeTemporary(path, data, func(file *os.File) error { return setMode(file, mode) })
	if err != nil {
		return err
	}
	defer os.Remove(temporary) //nolint:errcheck // What stays is removed by the next run.
	err = os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// File systems without hard links (FAT, some network mounts).
		err = createInPlace(path, data, mode)
	}
	return err
}

func createInPlace(path string, data []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := setMode(file, mode); err != nil {
		return errors.Join(err, file.Close(), os.Remove(path))
	}
	if err := fill(file, data); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// setMode gives a file that was created with mode 0600 another one.
func setMode(file *os.File, mode fs.FileMode) error {
	if mode == 0o600 {
		return nil
	}
	return file.Chmod(mode)
}

// RemoveFile removes a file; one that is not there is removed already.
func RemoveFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return about(path, err)
	}
	return nil
}

// replaceOwn puts a new file of the effective user in the place of a judged one, with its
// extended attributes and its mode, except that nobody else can write to it. Whatever took
// the name since then is replaced without being opened.
func replaceOwn(before *openedFile, data []byte) error {
	return before.replace(data, func(file *os.File) error {
		return keepAttributes(file, before.file, before.info.Mode().Perm()&^0o022)
	}, func() bool { return true })
}

// errExchanged is the error of a file that is not the one any more that was read.
var errExchanged = errors.New("the file was exchanged while it was being changed")

// replaceShared puts new content in the place of a shared file that was read, with its
// mode, owner and extended attributes.
func replaceShared(before *openedFile, data []byte) error {
	return before.replace(data, func(file *os.File) error {
		mode := before.info.Mode().Perm()
		canKeepGroup, err := keepOwner(file, before.info)
		if err != nil {
			return err
		}
		if !canKeepGroup {
			mode &^= 0o070
		}
		return keepAttributes(file, before.file, mode)
	}, before.isInPlace)
}

// replace closes the file that was read and puts a new one in its place, or, where that is
// impossible, writes into it.
func (s *openedFile) replace(data []byte, prepare func(*os.File) error, isUnchanged func() bool) error {
	err := rename(s.path, data, prepare, func() bool {
		s.close()
		return isUnchanged()
	})
	if isIrreplaceable(err) {
		return s.rewrite(data)
	}
	return err
}

// rename puts a new file in another's place, whole or not at all: write next to it, fsync,
// rename. The new file is prepared while it is empty, and gets the name if that is still
// what it was. (Windows renames nothing over an open file: what was read is closed by then.)
func rename(path string, data []byte, prepare func(*os.File) error, isUnchanged func() bool) error {
	temporary, err := writeTemporary(path, data, prepare)
	if err != nil {
		return about(path, err)
	}
	if isUnchanged() {
		err = os.Rename(temporary, path)
	} else {
		err = errExchanged
	}
	if err != nil {
		_ = os.Remove(temporary)
		return about(path, err)
	}
	return syncDirectory(path)
}

// CheckWritable says why the file of a kind at a path could not be made or changed: another
// file can't be made next to it, or, where its directory is to be made as well, next to
// that; its lock cannot be taken; or it can be written in place only, and not that either.
// What an interrupted run left is put in order.
func CheckWritable(ctx context.Context, k *Kind, path string) (err error) {
	target := path
	if k.way == shares {
		if target, err = resolve(path); err != nil {
			return err
		}
	}
	for _, name := range []string{path, target} {
		if err := checkLockable(name); err != nil {
			return err
		}
	}
	if Exists(target) || Exists(target+beforeSuffix) {
		unlock, err := lockShared(ctx, path, target)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unlock()) }()
		if _, err := recoverInterrupted(target); err != nil {
			return err
		}
	}
	return tryTemporary(target, func(temporary *os.File) error { return checkPlaceFor(k, target, temporary) })
}

// CheckCreatable says why another file of a kind could not be created next to the one at a
// path, which stays as it is.
func CheckCreatable(k *Kind, path string) error {
	if err := k.judgePlace(path); err != nil {
		return err
	}
	return tryTemporary(path, func(*os.File) error { return nil })
}

// tryTemporary makes another file next to the one at a path, and removes it.
func tryTemporary(path string, check func(temporary *os.File) error) error {
	temporary, err := os.CreateTemp(existingAbove(path), temporaryPattern(path))
	if err != nil {
		return about(path, err)
	}
	return errors.Join(check(temporary), temporary.Close(), os.Remove(temporary.Name()))
}

// checkPlaceFor says why a new file could neither take the place of the one at a path nor
// be written into it.
func checkPlaceFor(k *Kind, path string, temporary *os.File) error {
	before, err := k.read(path)
	if err != nil {
		return err
	}
	defer before.close()
	if before.file == nil {
		return nil
	}
	if isMountPoint(before.file) {
		err = syscall.EBUSY
	} else if k.way == shares {
		_, err = keepOwner(temporary, before.info)
	}
	if !isIrreplaceable(err) {
		return err
	}
	file, err := before.openInPlace()
	if err != nil {
		return err
	}
	return file.Close()
}

// writeTemporary writes data to a new file next to path, which is prepared while it is
// empty, and makes sure it is on the disk. What processes that were killed left of earlier
// ones is removed before.
func writeTemporary(path string, data []byte, prepare func(*os.File) error) (string, error) {
	tidy(filepath.Dir(path))
	// os.CreateTemp creates exclusively, with mode 0600.
	file, err := os.CreateTemp(filepath.Dir(path), temporaryPattern(path))
	if err != nil {
		return "", err
	}
	if err := prepare(file); err != nil {
		return "", errors.Join(err, file.Close(), os.Remove(file.Name()))
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
