//go:build unix

package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
)

func pipeAt(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInputs_APipeThatAPersonNamesIsReadToItsEnd(t *testing.T) {
	path := pipeAt(t)
	go func() { _ = os.WriteFile(path, []byte("request"), 0) }()
	data, err := Inputs{}.Read(path)
	if err != nil || string(data) != "request" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestInputs_AWaitForInputCanBeInterrupted(t *testing.T) {
	interrupted := make(chan struct{})
	close(interrupted)
	silent, writer := io.Pipe()
	defer writer.Close() //nolint:errcheck // A pipe in memory.
	for _, path := range []string{"-", pipeAt(t)} {
		err := bounded(t, func() error {
			_, err := Inputs{Stdin: silent, Interrupted: interrupted}.Read(path)
			return err
		})
		if !errors.Is(err, outcome.ErrInterrupted) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestInputs_NothingElseWaitsAtAPipe(t *testing.T) {
	for about, read := range map[string]func(path string) error{
		"a file":       func(path string) error { _, err := ReadFile(path); return err },
		"a secret":     func(path string) error { _, err := ReadSecret(path); return err },
		"a named file": CheckNamedFile,
		"a lock": func(path string) error {
			return updateShared(t.Context(), strings.TrimSuffix(path, lock.Suffix), to("x"))
		},
		"a shared file": func(path string) error { return updateShared(t.Context(), path, to("x")) },
		"a device":      func(string) error { return CheckNamedFile("/dev/zero") },
	} {
		t.Run(about, func(t *testing.T) {
			path := pipeAt(t)
			if about == "a lock" {
				if err := os.Rename(path, path+lock.Suffix); err != nil {
					t.Fatal(err)
				}
				path += lock.Suffix
			}
			if err := bounded(t, func() error { return read(path) }); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestInputs_InputHasABound(t *testing.T) {
	if _, err := (Inputs{}).Read("/dev/zero"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
	if _, err := (Inputs{Stdin: bytes.NewReader(make([]byte, largestFile+1))}).Read("-"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}
