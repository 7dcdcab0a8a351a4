// Package program builds and runs the program under test the way its users run
// it: as a binary of its own, in an environment of its own. Nothing of the
// machine's HOME or KUBECONFIG reaches it.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Name is the binary's name, under which kubectl finds it on PATH as
// "kubectl csr-onboard".
const Name = "kubectl-csr_onboard"

// Controller is the name of the binary that runs on control-plane nodes.
const Controller = "csr-onboard-controller"

// coverageVariable is the variable of the environment that names the directory in which a
// program built with -cover leaves what of it was executed: make coverage sets it.
const coverageVariable = "GOCOVERDIR"

// Build builds the plugin from the checkout, whose root is given relative to
// the working directory, into a directory, and returns the binary's path.
func Build(ctx context.Context, root, directory string) (string, error) {
	return BuildNamed(ctx, Name, root, directory)
}

// BuildNamed is Build for a program by its name.
func BuildNamed(ctx context.Context, name, root, directory string) (string, error) {
	binary, err := filepath.Abs(filepath.Join(directory, name))
	if err != nil {
		return "", err
	}
	arguments := []string{"build", "-trimpath", "-ldflags=-s -w -X main.version=v0.0.0-test", "-o", binary}
	if os.Getenv(coverageVariable) != "" {
		arguments = append(arguments, "-cover", "-coverpkg=./...")
	}
	build := exec.CommandContext(ctx, "go", append(arguments, "./cmd/"+name)...)
	build.Dir = root
	// As releases are built, whether the machine has a C compiler or not.
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return binary, nil
}

// Environment is where a run takes place.
type Environment struct {
	// Path are the directories on PATH.
	Path []string
	// Home is the HOME directory.
	Home string
	// Kubeconfig is the KUBECONFIG variable; "" leaves it out.
	Kubeconfig string
	// Directory is the working directory.
	Directory string
}

// Command prepares a run of a program that is looked up on the environment's
// own PATH.
func (e Environment) Command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, e.lookUp(name), arguments...)
	command.Dir = e.Directory
	command.Env = []string{
		"HOME=" + e.Home,
		"PATH=" + strings.Join(e.Path, string(os.PathListSeparator)),
		// Go's own resolver and TLS need nothing; Windows' sockets do.
		"SYSTEMROOT=" + os.Getenv("SYSTEMROOT"),
	}
	if directory := os.Getenv(coverageVariable); directory != "" {
		command.Env = append(command.Env, coverageVariable+"="+directory)
	}
	if e.Kubeconfig != "" {
		command.Env = append(command.Env, "KUBECONFIG="+e.Kubeconfig)
	}
	return command
}

func (e Environment) lookUp(name string) string {
	for _, directory := range e.Path {
		candidate := filepath.Join(directory, name)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() {
			return candidate
		}
	}
	return name
}

// Result is how a run ended.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a command without a terminal or standard input and waits for its
// end. A run that could not be started at all fails the test.
func Run(t testing.TB, command *exec.Cmd) Result {
	t.Helper()
	var out, failure bytes.Buffer
	command.Stdout, command.Stderr = &out, &failure
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", command, err)
	}
	return Result{Stdout: out.String(), Stderr: failure.String(), Code: command.ProcessState.ExitCode()}
}
