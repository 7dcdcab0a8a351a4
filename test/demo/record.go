package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// The size of a recorded terminal, in characters.
const (
	columns = "80"
	rows    = "24"
)

// record has asciinema run this command again at a terminal of its own, and record it.
func record(ctx context.Context, env program.Environment, file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	asciinema, err := exec.LookPath("asciinema")
	if err != nil {
		return fmt.Errorf("asciinema is required to record (Debian: apt-get install asciinema): %w", err)
	}
	// asciinema is a Python program, which needs more of PATH than a user of csr-onboard does.
	env.Path = append(env.Path, filepath.SplitList(os.Getenv("PATH"))...)
	command := env.Command(ctx, asciinema, "rec", "--quiet", "--overwrite", "--cols", columns, "--rows", rows, "--command", self+" -typed", file)
	command.Env = append(command.Env, "TERM=xterm-256color", "SHELL=/bin/sh", "LANG=C.UTF-8")
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	return command.Run()
}

// How fast the recording types, and how long a viewer can read.
const (
	keystroke = 45 * time.Millisecond
	reading   = 2500 * time.Millisecond
)

// typeCommands runs the recorded scenes as if somebody typed them at a prompt.
func typeCommands(ctx context.Context, out io.Writer) error {
	for _, scene := range scenes()[:recorded] {
		_, _ = fmt.Fprint(out, "\x1b[1;32m$\x1b[0m ")
		for _, key := range scene.command + "\n" {
			pause(ctx, keystroke)
			_, _ = fmt.Fprint(out, string(key))
		}
		words := strings.Fields(scene.command)
		command := exec.CommandContext(ctx, words[0], words[1:]...)
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		if err := command.Run(); err != nil {
			return fmt.Errorf("%q: %w", scene.command, err)
		}
		pause(ctx, reading)
	}
	return nil
}

func pause(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}
