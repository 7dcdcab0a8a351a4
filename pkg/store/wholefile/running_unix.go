//go:build unix

package wholefile

import (
	"errors"
	"syscall"
)

// isRunning says whether a process exists, whoever's it is.
func isRunning(process int) bool {
	err := syscall.Kill(process, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
