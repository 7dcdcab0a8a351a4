package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// LinkUnnamed writes a file that has no name yet (open(2), O_TMPFILE) and links it to
// one. Nothing is left of it whenever the process ends, and the directory changes once in
// place of three times, which counts where there are files of thousands of users. The
// error is errors.ErrUnsupported where the file system or the kernel cannot do that, or
// /proc is not there.
func LinkUnnamed(path string, data []byte, mode fs.FileMode, durability Durability) error {
	descriptor, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		// A kernel or file system without it says EISDIR, ENOENT or EOPNOTSUPP, and what
		// else may be wrong with the directory, the usual way will tell.
		return errors.ErrUnsupported
	}
	file := os.NewFile(uintptr(descriptor), path)
	defer file.Close() //nolint:errcheck // What has to last is synced.
	if err := SetMode(file, mode); err != nil {
		return err
	}
	if _, err := file.Write(data); err != nil {
		return err
	}
	if durability == Lasting {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	err = unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(descriptor), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return errors.ErrUnsupported
	}
	return err
}
