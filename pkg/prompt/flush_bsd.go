//go:build darwin || freebsd || netbsd || openbsd

package prompt

import "golang.org/x/sys/unix"

// discardTyped throws away what was typed before there was a question.
func discardTyped(terminal uintptr) error {
	// FREAD of sys/fcntl.h: what can be read.
	return unix.IoctlSetPointerInt(int(terminal), unix.TIOCFLUSH, 1)
}
