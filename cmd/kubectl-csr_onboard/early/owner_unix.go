//go:build unix && !linux

package early

import (
	"io/fs"
	"os"
	"syscall"
)

func isOwn(info fs.FileInfo) bool {
	status, known := info.Sys().(*syscall.Stat_t)
	return known && info.Mode().Perm()&0o077 == 0 && int(status.Uid) == os.Geteuid() && (info.IsDir() || status.Nlink == 1)
}
