//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// isRunning says whether a process exists, whoever's it is.
func isRunning(process int) bool {
	err := syscall.Kill(process, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// keepOwner gives a new file the owner and group of the one it replaces, where
// they differ.
func keepOwner(path string, existing fs.FileInfo) error {
	before, known := existing.Sys().(*syscall.Stat_t)
	if !known {
		return nil
	}
	now, err := os.Stat(path)
	if err != nil {
		return err
	}
	if after, known := now.Sys().(*syscall.Stat_t); known && after.Uid == before.Uid && after.Gid == before.Gid {
		return nil
	}
	return os.Chown(path, int(before.Uid), int(before.Gid))
}

// holdWhileAlive takes the kernel's advisory lock on an open file, which ends
// with the process, however it ends. held is false where another holds it.
func holdWhileAlive(file *os.File) (held bool, _ error) {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
