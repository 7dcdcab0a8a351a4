package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// isMountPoint reports whether a file is mounted by itself, as a bind mount is, so that no
// other file can be renamed over it (statx(2), STATX_ATTR_MOUNT_ROOT, since Linux 5.8). An
// older kernel does not know.
func isMountPoint(file *os.File) bool {
	var status unix.Statx_t
	if err := unix.Statx(int(file.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_TYPE, &status); err != nil {
		return false
	}
	return status.Attributes_mask&status.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
