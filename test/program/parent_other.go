//go:build !linux

package program

import "syscall"

// endsWithParent does nothing: other kernels have no signal for it.
func endsWithParent() *syscall.SysProcAttr { return nil }
