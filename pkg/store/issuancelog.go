package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// AppendLine adds a line to a log that must not lose any: under a lock of its
// own, in one write, and on the disk before it returns. A log that is not there
// is made with mode 0600; one that is no regular file is refused, a symbolic link
// too, whose lock would be another than that of the file it leads to. A line that
// an earlier run was killed over stays as it is, on a line of its own; one that
// can't be written whole is taken back.
func AppendLine(ctx context.Context, path string, line []byte) (err error) {
	if bytes.ContainsRune(line, '\n') {
		return errors.New("a line of a log can't hold a line feed")
	}
	lock, err := acquireLock(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	file, isNew, err := openLog(path)
	if err != nil {
		return err
	}
	err = appendLine(file, line)
	if err = errors.Join(err, file.Close()); err != nil {
		return about(path, err)
	}
	if isNew {
		return syncDirectory(path)
	}
	return nil
}

// openLog opens a log or makes it. It never follows a symlink, not even one that
// is put there between the look and the opening.
func openLog(path string) (file *os.File, isNew bool, _ error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return nil, false, about(path, err)
		}
		return file, true, nil
	}
	if err != nil {
		return nil, false, about(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%q is no regular file", path)
	}
	if file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0); err != nil {
		return nil, false, about(path, err)
	}
	if opened, err := file.Stat(); err != nil || !os.SameFile(info, opened) {
		return nil, false, errors.Join(fmt.Errorf("%q was replaced while it was opened", path), err, file.Close())
	}
	return file, false, nil
}

func appendLine(file *os.File, line []byte) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	text := append(bytes.Clone(line), '\n')
	if size > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			text = append([]byte{'\n'}, text...)
		}
	}
	if _, err := file.Write(text); err != nil {
		return errors.Join(err, file.Truncate(size))
	}
	return file.Sync()
}

// CreateFile makes a file that was not there, with mode 0600, whole or not at all.
// If there is one already, that one stays and the error is fs.ErrExist.
func CreateFile(path string, data []byte) error { return createExclusive(path, data, lasting) }

// Exists says whether there is something at a path.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
