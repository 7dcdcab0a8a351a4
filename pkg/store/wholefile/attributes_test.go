//go:build linux

package wholefile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAttributes_WhatCannotBeReadIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // Nothing was written.
	closed, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := copyAttribute(file, closed, "user.comment"); !errors.Is(err, unix.EBADF) {
		t.Errorf("an attribute of a file that is closed: %v", err)
	}
	asked := 0
	if _, err := sized(func(buffer []byte) (int, error) {
		if asked++; buffer == nil {
			return asked, nil
		}
		return -1, unix.ERANGE
	}); !errors.Is(err, unix.ERANGE) || asked > 100 {
		t.Errorf("a list that grows each time it is read: %v after %d times", err, asked)
	}
}
