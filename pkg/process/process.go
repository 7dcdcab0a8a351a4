// Package process is the program's one door to processes: itself, looked up and run
// once more.
//
// It promises that what it starts in the background holds none of this process's
// streams, so that a reader of those does not wait for it, and that it continues
// when this process's terminal is gone.
package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Command is what to write where another program is to run this one: its name where
// PATH leads to a program of that name, and the path of this one otherwise.
func Command(name string) (string, error) {
	if _, err := exec.LookPath(name); err == nil {
		return name, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("%s is not on PATH, and its own path is unknown: %w", name, err)
	}
	return filepath.Clean(path), nil
}

// StartInBackground runs csr-onboard with other arguments, in the same environment,
// and does not wait for it.
func StartInBackground(arguments ...string) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	// Without streams it has the null device.
	background := exec.Command(path, arguments...)
	background.Dir = filepath.Dir(path)
	detach(background)
	if err := background.Start(); err != nil {
		return err
	}
	return background.Process.Release()
}

// Variable is the value of an environment variable; "" if it is not set.
func Variable(name string) string { return os.Getenv(name) }

// Directory is where PATH has a program of that name, without following links: a package
// manager's directory of links rather than the program's own. It is the directory of this
// program where PATH does not lead to one.
func Directory(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = os.Executable()
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("%s is not on PATH, and its own path is unknown: %w", name, err)
	}
	return filepath.Dir(path), nil
}

// IsOnPath reports whether programs in a directory are found by their names.
func IsOnPath(directory string) bool {
	absolute, err := filepath.Abs(directory)
	return err == nil && slices.ContainsFunc(filepath.SplitList(os.Getenv("PATH")), func(entry string) bool {
		return filepath.Clean(entry) == absolute
	})
}
