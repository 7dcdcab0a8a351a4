package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"k8s.io/client-go/tools/clientcmd"

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

func TestMounted_AKubeconfigThatIsMountedByItselfIsWritten(t *testing.T) {
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

// TestMounted_AKubeconfigOfTheGroupIsMergedInto is as a user who can write to another user's file.
func TestMounted_AKubeconfigOfTheGroupIsMergedInto(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	s := merging(t).reachable()
	const owner = 65533
	for _, directory := range []string{"home", "team"} {
		if err := os.Mkdir(s.path(directory), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write("team/config", string(s.read("config")))
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	copied := s.path(program.Name)
	if err := os.WriteFile(copied, text, 0o755); err != nil { //nolint:gosec // A program.
		t.Fatal(err)
	}
	if err := errors.Join(
		os.Chown(s.path("home"), neighbor, neighbor),
		os.Chown(s.path("team"), owner, neighbor), os.Chmod(s.path("team"), 0o770|os.ModeSetgid),
		os.Chown(s.path("team", "config"), owner, neighbor), os.Chmod(s.path("team", "config"), 0o660), //nolint:gosec // The group's.
	); err != nil {
		t.Fatal(err)
	}
	environment := s.env
	environment.Home, environment.Kubeconfig, environment.Directory = s.path("home"), s.path("team", "config"), s.path("home")
	command := environment.Command(t.Context(), copied, "new-user", "of-the-group", "--approve", "--merge")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: neighbor, Gid: neighbor}}
	s.check(program.Run(t, command), expect{0, []string{"can be read by others than its owner"}})
	info, err := os.Stat(s.path("team", "config"))
	if err != nil {
		t.Fatal(err)
	}
	if who := info.Sys().(*syscall.Stat_t).Uid; who != owner || info.Mode().Perm() != 0o660 {
		t.Errorf("it belongs to %d and has mode %v", who, info.Mode())
	}
	if who := s.kubectl("--kubeconfig", "team/config", "--context", "of-the-group@csr-onboard", "auth", "whoami"); who.Code != 0 {
		t.Errorf("the new context does not log in: %s", who.Stderr)
	}
}

func TestMounted_AnInterruptedWriteInPlaceIsReportedByTheNextRun(t *testing.T) {
	s := merging(t)
	whole := string(s.read("config"))
	intended := strings.Replace(whole, "users:", "users:\n- name: another", 1)
	leave := func(now string) {
		t.Helper()
		for name, content := range map[string]string{"config": now, "config.csr-onboard-before": whole, "config.csr-onboard-after": intended} {
			s.write(name, content)
		}
	}
	leave(intended[:len(intended)/2])
	const restored = "a run was interrupted while it wrote to the kubeconfig"
	if result := s.must("list"); strings.Count(result.Stderr, restored) != 1 {
		t.Errorf("standard error does not say %q once:\n%s", restored, result.Stderr)
	}
	if result := s.must("list"); string(s.read("config")) != whole || strings.Contains(result.Stderr, restored) {
		t.Errorf("it holds\n%s\n%s", s.read("config"), result.Stderr)
	}

	leave(whole + "# changed\n")
	const changed = "was changed after csr-onboard was interrupted"
	if result := s.must("list"); strings.Count(result.Stderr, changed) != 1 || !strings.Contains(result.Stderr, "rm ") {
		t.Errorf("standard error does not say %q once:\n%s", changed, result.Stderr)
	}
	s.refuses("interrupted", []string{changed, "config.csr-onboard-before"}, "new-user", "interrupted", "--dir", "D", "--approve", "--merge")
}

// TestMounted_ABadLockIsFoundBeforeAnythingIsSubmitted puts what is not a lock in the lock's place.
func TestMounted_ABadLockIsFoundBeforeAnythingIsSubmitted(t *testing.T) {
	s := merging(t)
	s.must("new-user", "badly-locked", "--dir", "D", "--approve", "--merge", "--renewable")
	submitted := countRequestsOf(s, "badly-locked-")
	for about, plant := range map[string]func(lock string) error{
		"a pipe":      func(lock string) error { return syscall.Mkfifo(lock, 0o600) },
		"a link":      func(lock string) error { return os.Symlink("/dev/null", lock) },
		"a directory": func(lock string) error { return os.Mkdir(lock, 0o700) },
	} {
		t.Run(about, func(t *testing.T) {
			lock := s.path("config.lock")
			if err := plant(lock); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(lock) //nolint:errcheck // The next one says so.
			for _, arguments := range [][]string{
				{"new-user", "badly-locked", "-g", "more", "--dir", "D", "--approve", "--merge"},
				{"renew", "badly-locked@csr-onboard", "--wait=false"},
				{"renew", "badly-locked@csr-onboard", "--wait=false", "--exec", "--within", "1s"},
			} {
				s.check(s.run(arguments...), expect{1, []string{"is not a regular file"}})
				if n := countRequestsOf(s, "badly-locked-"); n != submitted {
					t.Fatalf("%q: %d requests were submitted", arguments, n-submitted)
				}
			}
		})
	}
}

// TestMounted_AKeyFileThatIsMountedIsFollowedByANewOne renews a pair of which the key is in a file
// that cannot be written to, next to which there is a place for another one.
func TestMounted_AKeyFileThatIsMountedIsFollowedByANewOne(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	s := merging(t)
	s.must("new-user", "key-mounted", "--dir", "D", "--approve", "--renewable")
	kubeconfig := s.load(filepath.Join("D", "key-mounted.kubeconfig"))
	user := kubeconfig.AuthInfos["key-mounted@csr-onboard"]
	for _, name := range []string{"source", "config"} {
		s.write(name, string(user.ClientKeyData))
	}
	user.ClientKeyData, user.ClientKey = nil, s.path("config")
	if err := clientcmd.WriteToFile(*kubeconfig, s.path("kubeconfig")); err != nil {
		t.Fatal(err)
	}
	s.env.Kubeconfig = s.path("kubeconfig")
	s.check(s.mounted("read-only", "renew", "--wait=false"), expect{0, nil})
}
