//go:build unix

package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestEnd_AProgramEndsByItself(t *testing.T) {
	command, log := started(t, `trap 'echo ended >> "$0"; exit 0' TERM`)
	End(command, time.Minute)
	if text, err := os.ReadFile(log); err != nil || string(text) != "started\nended\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestEnd_OneThatDoesNotIsKilled(t *testing.T) {
	command, _ := started(t, `trap '' TERM`)
	End(command, time.Millisecond)
	if status, isKnown := command.ProcessState.Sys().(syscall.WaitStatus); !isKnown || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", command.ProcessState)
	}
}

// started is a program that has installed a trap, and a file of its own.
func started(t *testing.T, trap string) (*exec.Cmd, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	command := exec.CommandContext(t.Context(), "sh", "-c", trap+`; echo started > "$0"; while :; do sleep 0.01; done`, log)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		if text, err := os.ReadFile(log); err == nil && string(text) == "started\n" {
			return command, log
		}
	}
	t.Fatal("it does not start")
	return nil, ""
}
