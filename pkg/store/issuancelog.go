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
// is made with mode 0600. A line that an earlier run was killed over stays as it
// is, on a line of its own; one that can't be written whole is taken back.
func AppendLine(ctx context.Context, path string, line []byte) (err error) {
	if bytes.ContainsRune(line, '\n') {
		return errors.New("a line of a log can't hold a line feed")
	}
	lock, err := acquireLock(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%q is no regular file", path)
	}
	isNew := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return about(path, err)
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
func CreateFile(path string, data []byte) error { return createExclusive(path, data) }

// Exists says whether there is something at a path.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
