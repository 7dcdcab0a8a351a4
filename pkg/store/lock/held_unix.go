//go:build unix

package lock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// holdWhileAlive takes the kernel's advisory lock on an open file, which ends
// with the process, however it ends. held is false where another holds it.
func holdWhileAlive(file *os.File) (held bool, _ error) {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
