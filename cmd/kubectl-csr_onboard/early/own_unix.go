//go:build unix

package early

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags refuse a symbolic link and do not wait for a named pipe (open(2)).
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// isOwn reports whether a directory, or a file with one name, belongs to the effective user
// and is closed to everybody else.
func isOwn(info fs.FileInfo) bool {
	status, isKnown := info.Sys().(*syscall.Stat_t)
	return isKnown && info.Mode().Perm()&0o077 == 0 && int(status.Uid) == os.Geteuid() && (info.IsDir() || status.Nlink == 1)
}
