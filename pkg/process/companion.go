package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// endTime is how long a companion that was interrupted may take to end.
const endTime = 5 * time.Second

// Companion is the path of another program of the release that this one is of: next to csr-onboard,
// or next to what it is a link to, or else on PATH. fs.ErrNotExist says that there is none.
func Companion(name string) (string, error) {
	file := name
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		places := []string{filepath.Dir(self)}
		if target, err := filepath.EvalSymlinks(self); err == nil {
			places = append(places, filepath.Dir(target))
		}
		for _, directory := range places {
			path := filepath.Join(directory, file)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path, nil
			}
		}
	}
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) || err != nil {
		return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return filepath.Abs(path)
}

// Run runs a program in the foreground with these streams, waits for its end, and returns its exit
// code. When the context ends, the program is interrupted. An error says why it could not be run.
func Run(ctx context.Context, path string, arguments []string, in io.Reader, out, failures io.Writer) (code int, _ error) {
	command := exec.CommandContext(ctx, path, arguments...)
	command.Stdin, command.Stdout, command.Stderr = in, out, failures
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = endTime
	err := command.Run()
	var exited *exec.ExitError
	if errors.As(err, &exited) && exited.ExitCode() >= 0 {
		return exited.ExitCode(), nil
	}
	return 0, err
}
