package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// directoryOf is a prepared directory of jane's.
func directoryOf(t *testing.T) UserDirectory {
	t.Helper()
	directory, err := UserDirectoryOf(filepath.Join(t.TempDir(), "D"), "", "jane")
	if err != nil {
		t.Fatal(err)
	}
	if err := directory.Prepare(); err != nil {
		t.Fatal(err)
	}
	return directory
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// to is a change that puts a text in a file's place.
func to(text string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(text), nil }
}

func onlyFiles(t *testing.T, directory string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the directory holds %q, want %q", got, want)
	}
}

func TestStore_NoNameLeavesTheDirectory(t *testing.T) {
	for _, name := range []string{"..", ".", "../../etc/passwd", "/etc/passwd", "a/b", "jane\x00", `..\x`} {
		directory, err := UserDirectoryOf("/base", "", name)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{directory.KeyPath(), directory.RequestPath(), directory.KubeconfigPath()} {
			if filepath.Dir(path) != "/base" {
				t.Errorf("%q leads to %q", name, path)
			}
		}
	}
}

func TestStore_TheDefaultDirectoryIsInTheHomeDirectory(t *testing.T) {
	directory, err := UserDirectoryOf("", "/home/x", "jane")
	if err != nil {
		t.Fatal(err)
	}
	if want := "/home/x/.kube/csr-onboard/jane/jane.key"; directory.KeyPath() != want {
		t.Errorf("the key is at %q, want %q", directory.KeyPath(), want)
	}
	if _, err := UserDirectoryOf("", "", "jane"); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("without a home: %v", err)
	}
}

func TestStore_PrepareMakesAPrivateDirectoryAndLeavesAnExistingOne(t *testing.T) {
	directory := directoryOf(t)
	if mode := modeOf(t, directory.Directory()).Perm(); mode != 0o700 {
		t.Errorf("a new directory has mode %v", mode)
	}
	if err := os.Chmod(directory.Directory(), 0o755); err != nil { //nolint:gosec // An ordinary directory.
		t.Fatal(err)
	}
	if err := directory.Prepare(); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, directory.Directory()).Perm(); mode != 0o755 {
		t.Errorf("an existing directory's mode became %v", mode)
	}
}

func TestStore_AKeyIsCreatedOnceAndPrivate(t *testing.T) {
	directory := directoryOf(t)
	if directory.HasKey() {
		t.Error("there is a key before one was made")
	}
	if err := directory.CreateKey([]byte("first")); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, directory.KeyPath()); mode != 0o600 {
		t.Errorf("the key has mode %v", mode)
	}
	if err := directory.CreateKey([]byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second key: %v, want fs.ErrExist", err)
	}
	if data, err := directory.ReadKey(); err != nil || string(data) != "first" {
		t.Errorf("the key is %q, %v", data, err)
	}
	onlyFiles(t, directory.Directory(), "jane.key")
}

func TestStore_ADanglingLinkInTheKeysPlaceIsNotFollowed(t *testing.T) {
	directory := directoryOf(t)
	target := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(target, directory.KeyPath()); err != nil {
		t.Fatal(err)
	}
	if err := directory.CreateKey([]byte("key")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want fs.ErrExist", err)
	}
	if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the key was written through the link")
	}
}

func TestStore_OfManyAtOnceOneMakesTheKey(t *testing.T) {
	directory := directoryOf(t)
	var group sync.WaitGroup
	made := make(chan string, 32)
	for n := range 32 {
		group.Go(func() {
			text := fmt.Sprintf("key %d", n)
			if err := directory.CreateKey([]byte(text)); err == nil {
				made <- text
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	close(made)
	if len(made) != 1 {
		t.Fatalf("%d made the key", len(made))
	}
	if data, err := directory.ReadKey(); err != nil || string(data) != <-made {
		t.Errorf("the key is %q, %v", data, err)
	}
	onlyFiles(t, directory.Directory(), "jane.key")
}

func TestStore_AKeyThatOthersMayReadIsRefused(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o644} {
		directory := directoryOf(t)
		write(t, directory.KeyPath(), "key", mode)
		if _, err := directory.ReadKey(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("mode %04o", mode)) || !strings.Contains(outcome.Hint(err), "chmod 600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	directory := directoryOf(t)
	write(t, directory.KeyPath(), "key", 0o400)
	if _, err := directory.ReadKey(); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
}

func TestStore_OnlyRegularFilesOfReasonableSizeAreRead(t *testing.T) {
	directory := directoryOf(t)
	if err := os.Mkdir(directory.KeyPath(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := directory.ReadKey(); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
	write(t, directory.KubeconfigPath(), "", 0o600)
	if err := os.Truncate(directory.KubeconfigPath(), largestFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(directory.KubeconfigPath()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a huge file: %v", err)
	}
	if _, err := directory.ReadRequest(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestStore_AReplacedFileKeepsItsModeAndItsLink(t *testing.T) {
	directory := directoryOf(t)
	target := filepath.Join(t.TempDir(), "real.kubeconfig")
	write(t, target, "old", 0o640)
	if err := os.Symlink(target, directory.KubeconfigPath()); err != nil {
		t.Fatal(err)
	}
	if err := updateShared(t.Context(), directory.KubeconfigPath(), to("new")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(directory.KubeconfigPath()); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != "new" {
		t.Errorf("the target holds %q, %v", data, err)
	}
	if mode := modeOf(t, target); mode != 0o640 {
		t.Errorf("the target's mode became %v", mode)
	}
	onlyFiles(t, filepath.Dir(target), "real.kubeconfig")
}

func TestStore_ANewFileIsPrivate(t *testing.T) {
	directory := directoryOf(t)
	if err := updateShared(t.Context(), directory.KubeconfigPath(), to("x")); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, directory.KubeconfigPath()); mode != 0o600 {
		t.Errorf("mode %v", mode)
	}
}

func TestStore_ADirectoryThatCannotBeWrittenLosesNothing(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	directory := directoryOf(t)
	write(t, directory.KubeconfigPath(), "old", 0o600)
	if err := os.Chmod(directory.Directory(), 0o500); err != nil { //nolint:gosec // Read-only on purpose.
		t.Fatal(err)
	}
	if err := updateShared(t.Context(), directory.KubeconfigPath(), to("new")); err == nil || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("%v, want an error about the kubeconfig itself", err)
	}
	if data, err := ReadFile(directory.KubeconfigPath()); err != nil || string(data) != "old" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

func TestStore_ADirectoryInAFilesPlaceIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "", 0o600)
	directory, err := UserDirectoryOf(filepath.Join(file, "D"), "", "jane")
	if err != nil {
		t.Fatal(err)
	}
	if err := directory.Prepare(); err == nil || !strings.Contains(outcome.Hint(err), "--dir") {
		t.Errorf("%v, hint %q", err, outcome.Hint(err))
	}
}

func TestStore_AReplacedFileKeepsItsOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may give a file away")
	}
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "old", 0o600)
	if err := os.Chown(path, 12345, 23456); err != nil {
		t.Fatal(err)
	}
	if err := updateShared(t.Context(), path, to("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if owner := fmt.Sprintf("%+v", info.Sys()); !strings.Contains(owner, "Uid:12345 Gid:23456") {
		t.Errorf("the file belongs to %s", owner)
	}
}
