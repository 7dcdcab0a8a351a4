package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// A file that is mounted by itself, as into a container, cannot be replaced by another one
// (rename(2), EBUSY), and a new file cannot be given to the owner of one that a group
// shares. kubectl writes such a kubeconfig in place, and so does csr-onboard. While it
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
	file, err := os.OpenFile(s.path, os.O_WRONLY|guard.NoFollow|guard.NoWait, 0)
	if err != nil {
		return nil, trouble.About(s.path, err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !s.isAsRead(info):
		err = wholefile.ErrExchanged
	case !isMountPoint(file):
		// Only root can mount another file there, but its owner may have linked one.
		if _, links, _ := guard.Ownership(info); links > 1 {
			err = fmt.Errorf("it can be written in place only, and has %d names (hard links)", links)
		}
	}
	if err != nil {
		return nil, errors.Join(trouble.About(s.path, err), file.Close())
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
		return errors.Join(err, file.Close(), wholefile.Remove(s.path+afterSuffix))
	}
	// That took a moment.
	if info, err := file.Stat(); err != nil || !s.isAsRead(info) {
		return errors.Join(trouble.About(s.path, cmp.Or(err, wholefile.ErrExchanged)), file.Close(), removeKept(s.path))
	}
	if err := refill(file, data); err != nil {
		// Whatever keeps this from being undone keeps both files, and the next run.
		_, recoverErr := recoverInterrupted(s.path)
		return errors.Join(trouble.About(s.path, err), recoverErr)
	}
	return removeKept(s.path)
}

// refill puts content in the place of an open file's, syncs and closes it.
func refill(file *os.File, data []byte) error {
	if err := file.Truncate(0); err != nil {
		return errors.Join(err, file.Close())
	}
	return wholefile.Fill(file, data)
}

// removeKept removes the two contents, what is needed to undo first.
func removeKept(path string) error {
	err := errors.Join(wholefile.Remove(path+beforeSuffix), new(wholefile.Directories).Sync(path))
	return errors.Join(err, wholefile.Remove(path+afterSuffix))
}

// RecoverFile undoes what a run that was interrupted has begun to write in place into the
// file that a path leads to, and reports whether the file was incomplete. Where no run was
// interrupted, or another program has the file's lock, it does nothing. If the file was
// changed since then, or another user's run was interrupted, that is an error that names
// the content from before.
func RecoverFile(path string) (wasIncomplete bool, err error) {
	target, err := resolve(path)
	if err != nil || !Exists(target+beforeSuffix) && !Exists(target+afterSuffix) {
		// What is wrong with the path itself is said where it is read.
		return false, nil
	}
	held, err := lock.Try(target)
	if held == nil || err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	return recoverInterrupted(target)
}

// recoverInterrupted undoes what an earlier run has begun to write into a file, whose lock
// is held, and reports whether the file was incomplete.
func recoverInterrupted(path string) (wasIncomplete bool, _ error) {
	before, err := ReadFileOf(contentBefore, path+beforeSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return false, wholefile.Remove(path + afterSuffix)
	}
	if err != nil {
		return false, outcome.ReplaceHint(fmt.Errorf("%q may be incomplete, because csr-onboard was interrupted while it wrote to it: %w", path, err),
			"that is what the file held before: the next run of its owner restores it; or compare both, and move it away")
	}
	after, err := ReadFileOf(contentAfter, path+afterSuffix)
	isAfterKept := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	now, err := openShared(path, path, true)
	if err != nil {
		return false, err
	}
	defer now.close()
	switch {
	case now.file == nil, !bytes.HasPrefix(after, now.data) && !bytes.HasPrefix(before, now.data):
		return false, outcome.WithHint(
			fmt.Errorf("%q was changed after csr-onboard was interrupted while it wrote to it", path),
			"what it contained before is in %s; copy from it what is missing, and remove it: %s", identity.Quote(path+beforeSuffix), identity.NewCommand("rm").File(path+beforeSuffix))
	case !bytes.Equal(now.data, before) && (!isAfterKept || !bytes.Equal(now.data, after)):
		file, err := now.openInPlace()
		if err == nil {
			err = refill(file, before)
		}
		if err != nil {
			return true, outcome.AddHint(trouble.About(path, err), "what it held before is in %s", identity.Quote(path+beforeSuffix))
		}
		wasIncomplete = true
	}
	return wasIncomplete, removeKept(path)
}
