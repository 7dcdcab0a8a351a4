package screen

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// full is a disk with no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestEscaping_WhatOtherPrintersWriteIsEscaped(t *testing.T) {
	var shown bytes.Buffer
	text := "a\tb\x1b[2J\u202e\U000e0041\n"
	n, err := io.WriteString(Escaping(&shown), text)
	if want := "a\tb" + `\u001b[2J\u202e\U000e0041` + "\n"; n != len(text) || err != nil || shown.String() != want {
		t.Errorf("%d of %d bytes, %v: got %q, want %q", n, len(text), err, shown.String(), want)
	}
	if _, err := io.WriteString(Escaping(full{}), text); err == nil {
		t.Error("a full disk is not reported")
	}
}
