// Package script runs the testscripts under testdata: what the built binary says
// where no cluster is needed. Each file reads like documentation.
package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	directory, err := os.MkdirTemp("", "csr-onboard-script-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(directory) //nolint:errcheck // A temporary directory.
	if _, err := program.Build(context.Background(), filepath.Join("..", ".."), directory); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binaries = directory
	return m.Run()
}

func TestScript_Scripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", binaries)
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits CODE PROGRAM ARGS... runs a program and expects its exit code.
			"exits": func(script *testscript.TestScript, negated bool, arguments []string) {
				if negated || len(arguments) < 2 {
					script.Fatalf("usage: exits CODE PROGRAM ARGS...")
				}
				code := "0"
				if err := script.Exec(arguments[1], arguments[2:]...); err != nil {
					code = exitCode(err)
				}
				if code != arguments[0] {
					script.Fatalf("exit code %s, want %s", code, arguments[0])
				}
			},
		},
	})
}

func exitCode(err error) string {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}
