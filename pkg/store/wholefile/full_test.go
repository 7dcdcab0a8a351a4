//go:build linux

package wholefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCreate_OfAFileThatDoesNotFitNothingIsLeft has a disk that is full before the file is whole.
func TestCreate_OfAFileThatDoesNotFitNothingIsLeft(t *testing.T) {
	directory := t.TempDir()
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, fmt.Sprintf("mode=700,size=%d", 8*os.Getpagesize())); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	large := make([]byte, 20*os.Getpagesize())
	for name, create := range ways() {
		for _, mode := range []fs.FileMode{0o600, 0o644} {
			if err := create(filepath.Join(directory, "file"), large, mode); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%s: %v", name, err)
			}
			entries, err := os.ReadDir(directory)
			if err != nil || len(entries) != 0 {
				t.Errorf("%s: %d files are left, %v", name, len(entries), err)
			}
		}
	}
}
