//go:build !windows

package program

import (
	"os/exec"
	"runtime"
	"syscall"
)

// PeakMemory is the most memory that a process which has ended had, in bytes. Its parent must have called
// ForgetPeakMemory before it started it.
func PeakMemory(command *exec.Cmd) int64 {
	usage, isKnown := command.ProcessState.SysUsage().(*syscall.Rusage)
	if !isKnown {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss
	}
	return usage.Maxrss * 1024
}
