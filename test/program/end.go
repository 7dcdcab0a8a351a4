package program

import (
	"os/exec"
	"syscall"
	"time"
)

// Patience is how long a controller may take to end by itself.
const Patience = 10 * time.Second

// End ends a program as systemd and the kubelet do: with SIGTERM, and with SIGKILL if it still runs after
// a while. Only a program that ends by itself leaves what of it was executed, for make coverage.
func End(command *exec.Cmd, patience time.Duration) {
	_ = command.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer late.Stop()
	_ = command.Wait()
}
