package store

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// replaceOwn puts a new file of the effective user in the place of a judged one, with its
// extended attributes and its mode, except that nobody else can write to it. Whatever took
// the name since then is replaced without being opened.
func replaceOwn(before *openedFile, data []byte) error {
	return before.replace(data, func(file *os.File) error {
		return wholefile.KeepAttributes(file, before.file, before.info.Mode().Perm()&^0o022)
	}, func() bool { return true })
}

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
		return wholefile.KeepAttributes(file, before.file, mode)
	}, before.isInPlace)
}

// replace closes the file that was read and puts a new one in its place, or, where that is
// impossible, writes into it.
func (s *openedFile) replace(data []byte, prepare func(*os.File) error, isUnchanged func() bool) error {
	err := new(wholefile.Directories).Replace(s.path, data, prepare, func() bool {
		s.close()
		return isUnchanged()
	})
	if isIrreplaceable(err) {
		return s.rewrite(data)
	}
	return err
}

// CheckWritable says why the file of a kind at a path could not be made or changed: another
// file cannot be made next to it, or, where its directory is to be made as well, next to
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
		if err := lock.Check(name); err != nil {
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
	temporary, err := os.CreateTemp(existingAbove(path), wholefile.TemporaryPattern(path))
	if err != nil {
		return trouble.About(path, err)
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

// RemoveFile removes a file. One that does not exist is removed already.
func RemoveFile(path string) error { return wholefile.Remove(path) }
