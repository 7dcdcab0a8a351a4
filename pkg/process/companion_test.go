package process

import (
	"bytes"
	"context"
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

// script is a program of a shell.
func script(t *testing.T, text string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a script of a shell")
	}
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil { //nolint:gosec // It is a program.
		t.Fatal(err)
	}
	return path
}

func TestRun_WhatCouldNotBeRunIsAnError(t *testing.T) {
	if code, err := Run(t.Context(), filepath.Join(t.TempDir(), "missing"), nil, nil, nil, nil); !errors.Is(err, fs.ErrNotExist) || code != 0 {
		t.Errorf("%d, %v", code, err)
	}
	// It has an exit code only if it ends by itself.
	if code, err := Run(t.Context(), script(t, "kill -9 $$"), nil, nil, nil, nil); err == nil || code != 0 {
		t.Errorf("%d, %v", code, err)
	}
}

// started cancels once the program has written something.
type started struct{ cancel context.CancelFunc }

func (s started) Write(text []byte) (int, error) {
	s.cancel()
	return len(text), nil
}

func TestRun_AnInterruptReachesTheProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var failures bytes.Buffer
	path := script(t, "trap 'echo interrupted >&2; exit 7' INT\necho started\nwhile :; do sleep 0.01; done")
	if code, err := Run(ctx, path, nil, nil, started{cancel}, &failures); code != 7 || err != nil || failures.String() != "interrupted\n" {
		t.Errorf("%d, %v, %q", code, err, failures.String())
	}
}
