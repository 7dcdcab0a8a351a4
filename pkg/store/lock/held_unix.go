//go:build unix

package lock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
)

// openFile opens or creates a file that can be removed while it is open.
func openFile(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, flag|guard.NoFollow|guard.NoWait, 0o600)
}

// isBeingRemoved reports whether a name cannot be taken because its file was removed while it
// was open.
func isBeingRemoved(error) bool { return false }

// holdWhileAlive takes the kernel's advisory lock on an open file, which ends
// with the process, however it ends. held is false where another holds it.
func holdWhileAlive(file *os.File) (held bool, _ error) {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
