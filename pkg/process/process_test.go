package process

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestProcess_AProgramOnPathIsNamedAndAnotherByItsOwnPath(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a script of a shell")
	}
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	linked, stored := t.TempDir(), filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(stored, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // It is a program.
		t.Fatal(err)
	}
	if err := os.Symlink(stored, filepath.Join(linked, "tool")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", linked)
	for name, want := range map[string]struct{ command, directory string }{
		"tool":    {"tool", linked},
		"missing": {filepath.Clean(own), filepath.Dir(own)},
	} {
		command, commandErr := Command(name)
		directory, directoryErr := Directory(name)
		if command != want.command || directory != want.directory || commandErr != nil || directoryErr != nil {
			t.Errorf("%s: %q in %q; %v, %v", name, command, directory, commandErr, directoryErr)
		}
	}
	if !IsOnPath(linked+string(filepath.Separator)) || IsOnPath(filepath.Dir(stored)) {
		t.Error("a directory on PATH is not known, or another is")
	}
}
