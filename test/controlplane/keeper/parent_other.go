//go:build !linux

package main

import "syscall"

// dieWithParent keeps a terminal's Ctrl-C from a component. Other kernels have
// no parent-death signal: a keeper that is itself killed leaves its components.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
