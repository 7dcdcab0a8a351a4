package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sandboxed in the environment has this test's binary run the command in its
// arguments where whatever opens a socket is killed.
const sandboxed = "CSR_ONBOARD_TEST_WITHOUT_SOCKETS"

func init() {
	if os.Getenv(sandboxed) == "" {
		return
	}
	fmt.Fprintln(os.Stderr, "sandbox:", runWithoutSockets(os.Args[1:]))
	os.Exit(1)
}

// runWithoutSockets becomes the command. The filter is inherited, and cannot be
// taken off again.
func runWithoutSockets(command []string) error {
	// The filter holds for a thread, and for what that thread executes.
	runtime.LockOSThread()
	// struct seccomp_data begins with the number of the system call.
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]} //nolint:gosec // Four.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	address := uintptr(unsafe.Pointer(&program)) //nolint:gosec // The kernel takes the filter by its address.
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, address, 0, 0); err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	if err := os.Unsetenv(sandboxed); err != nil {
		return err
	}
	return unix.Exec(path, command, os.Environ())
}

// withoutSockets has a command run in the sandbox.
func withoutSockets(t *testing.T, command *exec.Cmd) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command.Args = append([]string{self, command.Path}, command.Args[1:]...)
	command.Path = self
	command.Env = append(command.Env, sandboxed+"=1")
	return command
}
