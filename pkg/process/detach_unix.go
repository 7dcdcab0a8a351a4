//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// detach gives a process a session of its own: Ctrl-C and a closing terminal reach
// the foreground only.
func detach(background *exec.Cmd) { background.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
