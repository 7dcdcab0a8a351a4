package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// A file that is mounted by itself, as into a container, cannot be replaced by another one
// (rename(2), EBUSY), and a new file cannot be given to the owner of one that a group
// shares. kubectl writes such a kubeconfig in place, and so does this program. While it
// does, both contents are next to the file, so that nothing is lost whenever the process
// ends: the next run puts back what was there before.

const (
	// beforeSuffix and afterSuffix name what a file held, and what it is going to hold.
	beforeSuffix = ".csr-onboard-before"
	afterSuffix  = ".csr-onboard-after"
)

// errNotGiven is the error of a new file that cannot be given to another owner.
var errNotGiven = errors.New("a new file cannot be given to its owner")

// isIrreplaceable reports whether a file can be written in place only.
func isIrreplaceable(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, errNotGiven)
}

// openInPlace opens the file that was judged and read, to write to it.
func (s *openedFile) openInPlace() (*os.File, error) {
	file, err := os.OpenFile(s.path, os.O_WRONLY|noFollow|noWait, 0)
	if err != nil {
		return nil, about(s.path, err)
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(info, s.info) {
		err = errExchanged
	}
	if err != nil {
		return nil, errors.Join(about(s.path, err), file.Close())
	}
	return file, nil
}

// rewrite writes new content into a file that was read. Its lock is held.
func (s *openedFile) rewrite(data []byte) error {
	file, err := s.openInPlace()
	if err != nil {
		return err
	}
	if err := CreateFile(contentAfter, s.path+afterSuffix, data); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := CreateFile(contentBefore, s.path+beforeSuffix, s.data); err != nil {
		return errors.Join(err, file.Close(), RemoveFile(s.path+afterSuffix))
	}
	if err := refill(file, data); err != nil {
		// Whatever keeps this from being undone keeps both files, and the next run.
		return errors.Join(about(s.path, err), recoverInterrupted(s.path))
	}
	return removeKept(s.path)
}

// refill puts content in the place of an open file's, syncs and closes it.
func refill(file *os.File, data []byte) error {
	if err := file.Truncate(0); err != nil {
		return errors.Join(err, file.Close())
	}
	return fill(file, data)
}

// removeKept removes the two contents, what is needed to undo first.
func removeKept(path string) error {
	err := errors.Join(RemoveFile(path+beforeSuffix), syncDirectory(path))
	return errors.Join(err, RemoveFile(path+afterSuffix))
}

// RecoverFile undoes what a run that was interrupted has begun to write in place into the
// file that a path leads to. Where no run was interrupted, or another program has the
// file's lock, it does nothing. If the file was changed since then, that is an error that
// names the content from before.
func RecoverFile(path string) (err error) {
	target, err := resolve(path)
	if err != nil || !Exists(target+beforeSuffix) && !Exists(target+afterSuffix) {
		// What is wrong with the path itself is said where it is read.
		return nil
	}
	lock := &fileLock{path: target + lockSuffix}
	if held, err := lock.try(); err != nil || !held {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	return recoverInterrupted(target)
}

// recoverInterrupted undoes what an earlier run has begun to write into a file, whose lock
// is held.
func recoverInterrupted(path string) error {
	before, err := ReadFileOf(contentBefore, path+beforeSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return RemoveFile(path + afterSuffix)
	}
	var after []byte
	if err == nil {
		after, err = ReadFileOf(contentAfter, path+afterSuffix)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now, err := readShared(path)
	if err != nil {
		return err
	}
	defer now.close()
	switch {
	case now.file == nil, !bytes.HasPrefix(after, now.data) && !bytes.HasPrefix(before, now.data):
		return outcome.WithHint(
			fmt.Errorf("%q was changed after a run of this program was interrupted while it wrote to it", path),
			"what it held before is in %s; take from it what is missing, and remove it: %s", identity.Quote(path+beforeSuffix), identity.NewCommand("rm").File(path+beforeSuffix))
	case !bytes.Equal(now.data, after) && !bytes.Equal(now.data, before):
		file, err := now.openInPlace()
		if err == nil {
			err = refill(file, before)
		}
		if err != nil {
			return outcome.AddHint(about(path, err), "what it held before is in %s", identity.Quote(path+beforeSuffix))
		}
	}
	return removeKept(path)
}
