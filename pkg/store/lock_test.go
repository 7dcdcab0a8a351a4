package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// childVariable has the test binary, run again, take a lock and wait to be
// killed.
const childVariable = "STORE_TEST_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		if _, err := lock.Acquire(context.Background(), path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		// No bare select: where nothing else could ever run, Go ends the program.
		<-time.After(time.Hour)
	}
	os.Exit(m.Run())
}

func TestLock_ManyUpdatesAtOnceLoseNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counter")
	const many = 40
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			err := updateShared(t.Context(), path, func(existing []byte) ([]byte, error) {
				n, _ := strconv.Atoi(strings.TrimSpace(string(existing)))
				return []byte(strconv.Itoa(n+1) + "\n"), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if data, err := ReadFile(path); err != nil || string(data) != strconv.Itoa(many)+"\n" {
		t.Errorf("the file holds %q, %v; want %d", data, err, many)
	}
	onlyFiles(t, filepath.Dir(path), "counter")
}

// leaveLock leaves the lock of a killed process.
func leaveLock(t *testing.T, path string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+path)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 6)
	if _, err := output.Read(line); err != nil || string(line) != "locked" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if content, err := os.ReadFile(path + ".lock"); err != nil || !strings.HasPrefix(string(content), lock.MarkerPrefix) {
		t.Fatalf("the lock of the killed process: %q, %v", content, err)
	}
}

func TestLock_TheLockOfAKilledProcessIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	leaveLock(t, path)
	if err := updateShared(t.Context(), path, to("x")); err != nil {
		t.Error(err)
	}
	onlyFiles(t, filepath.Dir(path), "config")
}

func TestLock_KubectlsLockIsHonouredAndNeverBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path+".lock", "", 0o600)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := updateShared(ctx, path, to("x")); !errors.Is(err, outcome.ErrInterrupted) {
		t.Errorf("%v, want the wait to be interrupted", err)
	}
	if _, err := os.Stat(path + ".lock"); err != nil {
		t.Errorf("the lock is gone: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the file was written all the same")
	}
}

func TestLock_AFailedChangeReleasesTheLockAndChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "old", 0o600)
	failure := errors.New("no")
	if err := updateShared(t.Context(), path, func([]byte) ([]byte, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Errorf("%v, want the change's own error", err)
	}
	if data, err := ReadFile(path); err != nil || string(data) != "old" {
		t.Errorf("the file holds %q, %v", data, err)
	}
	onlyFiles(t, filepath.Dir(path), "config")
}

func TestLock_WhatAKilledProcessLeftIsRemoved(t *testing.T) {
	directory := directoryOf(t)
	child := exec.Command(os.Args[0], "-test.run=^$")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	of := func(process int) string { return "." + wholefile.Machine() + "." + strconv.Itoa(process) + ".1.tmp" }
	stay := []string{".jane.key" + of(os.Getpid()), ".jane.key.elsewhere.1.1.tmp", ".jane.tmp", "jane.v1" + of(child.Process.Pid)}
	for _, name := range append([]string{".jane.key" + of(child.Process.Pid), ".bob" + of(child.Process.Pid)}, stay...) {
		write(t, filepath.Join(directory.Directory(), name), "secret", 0o600)
	}
	if err := directory.CreateKey([]byte("key")); err != nil {
		t.Fatal(err)
	}
	onlyFiles(t, directory.Directory(), slices.Sorted(slices.Values(append(stay, "jane.key")))...)
}

func TestLock_ALinkThatLeadsNowhereIsWhereTheFileBelongs(t *testing.T) {
	directory := t.TempDir()
	if err := os.Symlink("later/config", filepath.Join(directory, "config")); err != nil {
		t.Fatal(err)
	}
	if err := updateShared(t.Context(), filepath.Join(directory, "config"), to("x")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(directory, "later", "config")); err != nil || string(data) != "x" {
		t.Errorf("the target holds %q, %v", data, err)
	}
	onlyFiles(t, directory, "config", "later")
}
