//go:build unix

package prompt

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
)

// TestPrompt_WhatIsNotATerminalIsNotAsked has a pipe in its place, whose other end hears nothing.
func TestPrompt_WhatIsNotATerminalIsNotAsked(t *testing.T) {
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(in.Close(), typed.Close()) })
	heard, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = heard.Close() })
	if _, err := typed.WriteString("y\n"); err != nil {
		t.Fatal(err)
	}
	if AtTerminal(in, out) != nil {
		t.Error("a pipe is taken for a terminal")
	}
	person := &Person{in: in, err: out}
	if yes, err := person.Confirm(t.Context(), "Delete it?"); yes || !errors.Is(err, syscall.ENOTTY) {
		t.Errorf("a question: %v, %v", yes, err)
	}
	if secret, err := person.Secret(t.Context(), "Passphrase"); len(secret) > 0 || !errors.Is(err, syscall.ENOTTY) {
		t.Errorf("a secret: %q, %v", secret, err)
	}
	if marked, err := person.Select(t.Context(), "Which?", []string{"a", "b"}); marked != nil || !errors.Is(err, syscall.ENOTTY) {
		t.Errorf("a menu: %v, %v", marked, err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(heard); err != nil || len(said) > 0 {
		t.Errorf("%q was said, %v", said, err)
	}
}
