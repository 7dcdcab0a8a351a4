package program

import "syscall"

// endsWithParent has the kernel kill a program when the tests end, in whatever way.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
