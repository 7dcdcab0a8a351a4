//go:build unix

package program

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Stop stops a process (SIGSTOP), and returns when each of its threads has stopped: on a busy machine
// they run for a moment after the signal was sent. Without /proc it does not wait.
func Stop(process *os.Process) error {
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; {
		switch isStopped, err := hasStopped(process.Pid); {
		case err != nil || isStopped:
			return err
		case time.Now().After(deadline):
			return fmt.Errorf("process %d did not stop", process.Pid)
		}
		<-time.After(time.Millisecond)
	}
}

// hasStopped reports whether no thread of a process runs.
func hasStopped(process int) (bool, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", process))
	if err != nil {
		return false, err
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // A thread that has ended.
		}
		if err != nil {
			return false, err
		}
		// The state follows the name, which is in parentheses and may hold some (proc_pid_stat(5)).
		if _, state, _ := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(" ")); !bytes.HasPrefix(state, []byte("T")) {
			return false, nil
		}
	}
	return true, nil
}
