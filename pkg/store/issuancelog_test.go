package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestIssuanceLog_ALogLosesNoLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			if err := AppendLine(context.Background(), path, []byte(strings.Repeat(fmt.Sprintf("%02d", i), 5000))); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(written), "\n"), "\n")
	seen := map[string]bool{}
	for _, line := range lines {
		if len(line) != 10000 || strings.Repeat(line[:2], 5000) != line {
			t.Errorf("a line is mixed: %.40s…", line)
		}
		seen[line] = true
	}
	if len(lines) != 20 || len(seen) != 20 {
		t.Errorf("there are %d lines, %d of them different", len(lines), len(seen))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log is %v, %v", info.Mode(), err)
	}
}

func TestIssuanceLog_ATornLineStaysAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("whole\ntor"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := AppendLine(context.Background(), path, []byte("next")); err != nil {
		t.Fatal(err)
	}
	if written, err := os.ReadFile(path); err != nil || string(written) != "whole\ntor\nnext\n" {
		t.Errorf("the log is %q, %v", written, err)
	}
	if err := AppendLine(context.Background(), path, []byte("a\nb")); err == nil {
		t.Error("two lines were taken for one")
	}
	if err := AppendLine(context.Background(), t.TempDir(), []byte("a")); err == nil {
		t.Error("a directory was taken for a log")
	}
}

func TestIssuanceLog_ALogIsNoSymlink(t *testing.T) {
	directory := t.TempDir()
	existing, missing := filepath.Join(directory, "existing"), filepath.Join(directory, "missing")
	if err := os.WriteFile(existing, []byte("other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for about, target := range map[string]string{"to a file": existing, "to nothing": missing} {
		link := filepath.Join(directory, about)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		if err := AppendLine(context.Background(), link, []byte("a")); err == nil || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("a symlink %s: %v", about, err)
		}
	}
	if written, err := os.ReadFile(existing); err != nil || string(written) != "other\n" {
		t.Errorf("the file behind the symlink is %q, %v", written, err)
	}
	if Exists(missing) {
		t.Error("the file that the symlink points to was made")
	}
}

func TestIssuanceLog_ALogThatOthersCanWriteToIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for mode, isRefused := range map[os.FileMode]bool{0o600: false, 0o644: false, 0o660: true, 0o602: true} {
		write(t, path, "line\n", 0o600)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		err := AppendLine(t.Context(), path, []byte("next"))
		if (err != nil) != isRefused {
			t.Errorf("mode %v: %v", mode, err)
		}
		if data, _ := os.ReadFile(path); isRefused && string(data) != "line\n" {
			t.Errorf("mode %v: the log is %q", mode, data)
		}
	}
}
