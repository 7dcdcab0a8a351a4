package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
)

// openedFile is a file that was opened, judged and read.
type openedFile struct {
	path string
	// file is nil where there is none yet.
	file *os.File
	info fs.FileInfo
	data []byte
}

// close can be called more than once.
func (s *openedFile) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// readShared opens, judges and reads the file that a path leads to. Where anybody can put
// files into a directory, a link or file of somebody else in it is not the person's; nor
// is an empty file of somebody else: it holds nothing that could have been shared.
func readShared(path string) (*openedFile, error) {
	target, err := resolve(path)
	if err != nil {
		return nil, err
	}
	return openShared(target, path, false)
}

// openShared is readShared for a file to which no link is followed; the person calls it
// path. One that an interrupted run wrote to may be empty.
func openShared(target, path string, mayBeEmpty bool) (*openedFile, error) {
	file, err := os.OpenFile(target, os.O_RDONLY|guard.NoFollow|guard.NoWait, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &openedFile{path: target}, nil
	}
	if err != nil {
		return nil, trouble.About(path, err)
	}
	s := &openedFile{path: target, file: file}
	if err := s.readShared(path, mayBeEmpty); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *openedFile) readShared(path string, mayBeEmpty bool) (err error) {
	if s.info, err = s.file.Stat(); err != nil {
		return trouble.About(path, err)
	}
	if !s.info.Mode().IsRegular() {
		return trouble.NotRegular(path)
	}
	if s.data, err = readAll(path, s.file); err != nil {
		return err
	}
	owner, links, known := guard.Ownership(s.info)
	isForeign := known && owner != guard.EffectiveUser()
	const hint = "move it away, or name another file: --kubeconfig FILE"
	switch {
	case isForeign && len(s.data) == 0 && !mayBeEmpty:
		return trouble.Refuse(hint, "the file %q is empty and belongs to %s, not to %s", path, guard.NameOf(owner), guard.NameOf(guard.EffectiveUser()))
	case (isForeign && !guard.IsTrusted(owner) || links > 1) && guard.IsWritableByEverybody(filepath.Dir(s.path)):
		return trouble.Refuse(hint, "the file %q belongs to %s and has %d names, in a directory that everybody can write to", path, guard.NameOf(owner), links)
	}
	return nil
}

// isInPlace reports whether the file still has the name under which it was opened, and was not
// written since then.
func (s *openedFile) isInPlace() bool {
	now, err := os.Lstat(s.path)
	if s.file == nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return err == nil && s.isAsRead(now)
}

// isAsRead reports whether a file is the one that was read, and was not written since then.
func (s *openedFile) isAsRead(now fs.FileInfo) bool {
	return os.SameFile(now, s.info) && now.Size() == s.info.Size() && now.ModTime().Equal(s.info.ModTime())
}

// resolve follows symbolic links to the file that is to be replaced, which need not exist
// yet: a link that leads nowhere is where the file belongs. A link of somebody else in a
// directory that everybody can write to is not followed.
func resolve(path string) (string, error) {
	for range guard.MaximumLinks {
		target, err := os.Readlink(path)
		if err != nil {
			// No link, or nothing there.
			return path, nil
		}
		if info, err := os.Lstat(path); err != nil {
			return "", trouble.About(path, err)
		} else if owner, _, known := guard.Ownership(info); known && !guard.IsTrusted(owner) && guard.IsWritableByEverybody(filepath.Dir(path)) {
			return "", trouble.Refuse("name the file itself", "the symbolic link %q belongs to %s, in a directory that everybody can write to", path, guard.NameOf(owner))
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", trouble.About(path, guard.ErrTooManyLinks)
}
