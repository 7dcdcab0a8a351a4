package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// mounting in the environment has this test's binary run the command in its arguments where
// the file "source" is mounted by itself at "config", as into a container. It says how.
const mounting = "CSR_ONBOARD_TEST_MOUNTING"

func init() {
	how := os.Getenv(mounting)
	if how == "" {
		return
	}
	fmt.Fprintln(os.Stderr, "mounting:", runMounted(how, os.Args[1:]))
	os.Exit(1)
}

// runMounted becomes the command. This process has a mount namespace of its own.
func runMounted(how string, command []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("source", "config", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if how == "read-only" {
		if err := unix.Mount("", "config", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return err
		}
	}
	if err := os.Unsetenv(mounting); err != nil {
		return err
	}
	return unix.Exec(command[0], command, os.Environ())
}

func (s *session) mounted(how string, arguments ...string) program.Result {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	command := s.command(arguments...)
	command.Args = append([]string{self, command.Path}, command.Args[1:]...)
	command.Path = self
	command.Env = append(command.Env, mounting+"="+how)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	return program.Run(s.t, command)
}

func TestAKubeconfigThatIsMountedByItselfIsWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	s := newSession(t, shared)
	admin, err := os.ReadFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"source", "config"} {
		s.write(name, string(admin))
	}
	s.env.Kubeconfig = s.path("config")

	refused := s.mounted("read-only", "new-user", "mona-mounted", "--approve", "--merge", "--dir", "D")
	s.check(refused, expect{1, []string{"config", "read-only file system"}})
	if names := requestNamesOf(t, s, "mona-mounted"); len(names) > 0 {
		t.Errorf("%q was submitted", names)
	}
	done := s.mounted("writable", "new-user", "mona-mounted", "--approve", "--renewable", "--merge", "--dir", "D")
	s.check(done, expect{0, []string{"logged in"}})
	text := string(s.read("source"))
	if config := s.load("source"); config.Contexts["mona-mounted@csr-onboard"] == nil || len(config.Contexts) != 2 || strings.Contains(text, "csr-onboard-before") {
		t.Errorf("it holds\n%s", text)
	}
	if s.kubectl("--kubeconfig", s.path("source"), "--context", "mona-mounted@csr-onboard", "auth", "whoami").Code != 0 {
		t.Error("the new context does not log in")
	}
	renewed := s.mounted("writable", "renew", "mona-mounted@csr-onboard", "--wait=false")
	s.check(renewed, expect{0, nil})
	for _, name := range []string{"config", "source"} {
		if _, left := s.readIfThere(name + ".csr-onboard-before"); left {
			t.Errorf("%s.csr-onboard-before was left", name)
		}
	}
}
