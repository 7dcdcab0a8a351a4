package prompt

import "golang.org/x/sys/unix"

// discardTyped throws away what was typed before there was a question.
func discardTyped(terminal uintptr) error {
	return unix.IoctlSetInt(int(terminal), unix.TCFLSH, unix.TCIFLUSH)
}
