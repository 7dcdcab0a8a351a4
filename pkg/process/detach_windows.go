package process

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach gives a process no console and a group of its own: Ctrl-C and a closing
// window reach the foreground only.
func detach(background *exec.Cmd) {
	background.SysProcAttr = &syscall.SysProcAttr{
		HideWindow:    true,
		CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS,
	}
}
