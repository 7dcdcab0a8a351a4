//go:build !windows

package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// peakMemory is the most memory that a process which has ended had, in bytes.
func peakMemory(command *exec.Cmd) int64 {
	usage, isKnown := command.ProcessState.SysUsage().(*syscall.Rusage)
	if !isKnown {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss
	}
	return usage.Maxrss * 1024
}
