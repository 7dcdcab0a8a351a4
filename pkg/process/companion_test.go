package process

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestCompanion_ItIsFoundOnPathAndItsExitCodeIsReturned(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a script of a shell")
	}
	directory := t.TempDir()
	t.Setenv("PATH", directory)
	if _, err := Companion("csr-onboard-companion"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	path := filepath.Join(directory, "csr-onboard-companion")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nread line; echo \"$line $*\"; echo why >&2; exit 6\n"), 0o700); err != nil { //nolint:gosec // It is a program.
		t.Fatal(err)
	}
	found, err := Companion("csr-onboard-companion")
	if err != nil || found != path {
		t.Fatal(found, err)
	}
	var out, failures bytes.Buffer
	code, err := Run(t.Context(), found, []string{"a b", "c"}, strings.NewReader("in\n"), &out, &failures)
	if err != nil || code != 6 || out.String() != "in a b c\n" || failures.String() != "why\n" {
		t.Errorf("%d, %v, %q, %q", code, err, out.String(), failures.String())
	}
}
