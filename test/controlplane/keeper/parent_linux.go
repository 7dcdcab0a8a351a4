package main

import "syscall"

// dieWithParent has the kernel kill a component when the keeper itself is
// killed, so that not even SIGKILL leaves one behind. A process group of its own
// keeps a terminal's Ctrl-C from it.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
