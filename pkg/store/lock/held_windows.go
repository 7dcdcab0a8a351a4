package lock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// holdWhileAlive takes the system's lock on an open file, which ends with the
// process, however it ends. held is false where another holds it.
func holdWhileAlive(file *os.File) (held bool, _ error) {
	err := windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
