package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// AppendLine adds a line to a log that must not lose any: under a lock of its
// own, in one write, and on the disk before it returns. A log that is not there
// is made with mode 0600; one that is not a regular file is refused, a symbolic link
// too, whose lock would be another than that of the file it leads to. A line that
// an earlier run was killed over stays as it is, on a line of its own; one that
// cannot be written whole is taken back.
func AppendLine(ctx context.Context, path string, line []byte) (err error) {
	if bytes.ContainsRune(line, '\n') {
		return errors.New("a line of a log cannot contain a line feed")
	}
	held, err := lock.Acquire(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	file, isNew, err := openLog(path)
	if err != nil {
		return err
	}
	err = appendLine(file, line)
	if err = errors.Join(err, file.Close()); err != nil {
		return trouble.About(path, err)
	}
	if isNew {
		return new(wholefile.Directories).Sync(path)
	}
	return nil
}

// openLog opens a log or makes it, and never follows a symbolic link. A log that others
// can write to does not prove anything.
func openLog(path string) (file *os.File, isNew bool, _ error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL, issuanceLog.mode)
	if err == nil {
		return file, true, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, false, trouble.About(path, err)
	}
	file, info, err := issuanceLog.open(path, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return nil, false, err
	}
	if mode := info.Mode().Perm(); guard.IsOpen(info.Mode()) && mode&0o022 != 0 {
		_ = file.Close()
		return nil, false, trouble.Refuse("remove that permission: "+identity.NewCommand("chmod go-w").File(path).String(), "others than its owner can write to the log %q (mode %04o)", path, mode)
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

// Exists reports whether there is something at a path.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
