//go:build !linux

package e2e

import (
	"os/exec"
	"testing"
)

// withoutSockets skips the test: only Linux can say of a process that it may not
// open a socket.
func withoutSockets(t *testing.T, _ *exec.Cmd) *exec.Cmd {
	t.Helper()
	t.Skip("needs seccomp")
	return nil
}
