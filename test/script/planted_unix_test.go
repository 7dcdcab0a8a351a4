//go:build unix

package script

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// somebodyElse is another user of the machine.
const somebodyElse = 65534

// giveAway makes a path somebody else's.
func giveAway(t *testing.T, path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	if err := os.Lchown(path, somebodyElse, somebodyElse); err != nil {
		t.Fatal(err)
	}
}

// TestPlanted_AnAnswerThatSomebodyElseCanHavePutThereIsNotGiven plants an answer that is valid in
// every way but one.
func TestPlanted_AnAnswerThatSomebodyElseCanHavePutThereIsNotGiven(t *testing.T) {
	now := time.Now()
	good := planted(now.Add(-time.Hour), now.Add(time.Hour))
	aside := func(c *cache) string {
		path := filepath.Join(filepath.Dir(c.directory), "aside")
		if err := os.WriteFile(path, good, 0o600); err != nil {
			c.Fatal(err)
		}
		return path
	}
	for name, plant := range map[string]func(*cache){
		"of another user": func(c *cache) {
			c.replace(good, 0o600)
			giveAway(c.T, c.file())
		},
		"a symbolic link": func(c *cache) {
			c.replaceBy(func(path string) error { return os.Symlink(aside(c), path) })
		},
		"a hard link": func(c *cache) {
			c.replaceBy(func(path string) error { return os.Link(aside(c), path) })
		},
		"in a directory that is open to others": func(c *cache) {
			c.replace(good, 0o600)
			if err := os.Chmod(c.directory, 0o711); err != nil { //nolint:gosec // Too open on purpose.
				c.Fatal(err)
			}
		},
		"in a directory of another user": func(c *cache) {
			c.replace(good, 0o600)
			giveAway(c.T, c.directory)
		},
		"in a directory behind a symbolic link": func(c *cache) {
			c.replace(good, 0o600)
			elsewhere := c.directory + "-elsewhere"
			if err := os.Rename(c.directory, elsewhere); err != nil {
				c.Fatal(err)
			}
			if err := os.Symlink(elsewhere, c.directory); err != nil {
				c.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t)
			plant(c)
			result := c.run()
			if strings.Contains(result.Stdout, "planted") {
				t.Errorf("it is given: %q", result.Stdout)
			}
			isDirectory := strings.Contains(name, "directory")
			if isDirectory != (result.Code != 0) {
				t.Errorf("exit code %d\n%s", result.Code, result.Stderr)
			}
			if isDirectory && (result.Stdout != "" || !strings.Contains(result.Stderr, "hint: ")) {
				t.Errorf("standard output is %q, standard error %q", result.Stdout, result.Stderr)
			}
			if result := c.run("credential", "--cache", c.directory+"/"); strings.Contains(result.Stdout, "planted") {
				t.Errorf("with a slash it is given: %q", result.Stdout)
			}
		})
	}
}

// TestPlanted_APairThatSomebodyElseCanHavePutThereIsNotUsed is the same about what answers are
// made of.
func TestPlanted_APairThatSomebodyElseCanHavePutThereIsNotUsed(t *testing.T) {
	for name, test := range map[string]struct {
		plant func(t *testing.T, path string) error
		says  string
	}{
		"of another user": {func(t *testing.T, path string) error {
			giveAway(t, path)
			return nil
		}, "belongs to"},
		"a symbolic link": {func(_ *testing.T, path string) error {
			if err := os.Rename(path, path+".aside"); err != nil {
				return err
			}
			return os.Symlink(path+".aside", path)
		}, "is a symbolic link"},
		"a hard link": {func(_ *testing.T, path string) error { return os.Link(path, path+".aside") }, "has 2 names"},
		"a named pipe": {func(_ *testing.T, path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return makePipe(path)
		}, "is not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t)
			if err := os.Remove(c.file()); err != nil {
				t.Fatal(err)
			}
			if err := test.plant(t, filepath.Join(c.directory, "kubeconfig")); err != nil {
				t.Fatal(err)
			}
			if result := c.run(); result.Code != 1 || result.Stdout != "" || !strings.Contains(result.Stderr, test.says) {
				t.Errorf("exit code %d: %q\n%s", result.Code, result.Stdout, result.Stderr)
			}
		})
	}
}

// TestPlanted_NothingWaitsForAFileThatAKubeconfigNames puts a pipe that nobody writes to, and a
// device without an end, in the place of every file that a connection is made with.
func TestPlanted_NothingWaitsForAFileThatAKubeconfigNames(t *testing.T) {
	directory := t.TempDir()
	pipe := filepath.Join(directory, "pipe")
	if err := makePipe(pipe); err != nil {
		t.Fatal(err)
	}
	const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"CLUSTER}}]
users: [{name: u, user: {USER}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`
	file := filepath.Join(directory, "config")
	for _, place := range []string{pipe, "/dev/zero"} {
		for _, field := range []string{"certificate-authority", "client-certificate", "client-key", "tokenFile", "kubeconfig"} {
			cluster, user := "", field+": "+place
			switch field {
			case "certificate-authority":
				cluster, user = ", "+user, "token: x"
			case "kubeconfig":
				user = "token: x"
			}
			text := strings.NewReplacer("CLUSTER", cluster, "USER", user).Replace(kubeconfig)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range [][]string{{"list"}, {"status"}, {"renew"}, {"fetch", "jane"}, {"version"}} {
				path := file
				if field == "kubeconfig" {
					path = place
				}
				if field == "kubeconfig" && command[0] == "version" {
					continue
				}
				arguments := slices.Concat(command, []string{"--kubeconfig", path})
				started := time.Now()
				result := limited(t, directory, arguments...)
				if time.Since(started) > 20*time.Second {
					t.Errorf("%q with %s %s: it waited", arguments, field, place)
				}
				if text := result.Stdout + result.Stderr; command[0] == "list" && (result.Code != 2 || !strings.Contains(text, field) || !strings.Contains(text, `"`+place+`" is not a regular file`)) {
					t.Errorf("%q with %s %s: exit code %d\n%s", arguments, field, place, result.Code, text)
				}
			}
		}
	}
}

// limited runs the program, and ends it where it waits.
func limited(t *testing.T, directory string, arguments ...string) program.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return program.Run(t, program.Environment{Path: []string{binaries}, Home: directory, Directory: directory}.Command(ctx, program.Name, arguments...))
}

// TestPlanted_AWaitForInputEndsWithAnInterrupt gives pipes that nobody writes to where input may
// come through a pipe.
func TestPlanted_AWaitForInputEndsWithAnInterrupt(t *testing.T) {
	directory := t.TempDir()
	pipe := filepath.Join(directory, "pipe")
	if err := makePipe(pipe); err != nil {
		t.Fatal(err)
	}
	environment := program.Environment{Path: []string{binaries}, Home: directory, Directory: directory}
	if prepared := limited(t, directory, "new-user", "jane", "--offline", "--dir", "D"); prepared.Code != 0 {
		t.Fatal(prepared.Stderr)
	}
	for _, arguments := range [][]string{
		{"fetch", "jane", "--dir", "D", "--from", pipe},
		{"new-user", "-f", pipe, "--offline"},
		{"approve", "-f", pipe},
		{"sign", pipe, "--ca-cert", "ca.crt", "--ca-key", "ca.key"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		command := environment.Command(ctx, program.Name, arguments...)
		// The program has opened the pipe when there is somebody to write to.
		opened := make(chan *os.File, 1)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			if err == nil {
				opened <- writer
			}
		}()
		select {
		case writer := <-opened:
			if err := command.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			err := command.Wait()
			if code := command.ProcessState.ExitCode(); code != 130 {
				t.Errorf("%q: exit code %d, %v", arguments, code, err)
			}
			_ = writer.Close()
		case <-ctx.Done():
			_ = command.Wait()
			t.Errorf("%q: the pipe is not opened", arguments)
		}
		cancel()
	}
}
