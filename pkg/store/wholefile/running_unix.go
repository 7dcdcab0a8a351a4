//go:build unix

package wholefile

import (
	"errors"
	"syscall"
)

// isRunning reports whether a process exists, of any user.
func isRunning(process int) bool {
	err := syscall.Kill(process, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
