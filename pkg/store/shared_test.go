//go:build unix

package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/guard"
)

func TestShared_AKubeconfigThatIsSharedOnPurposeIsMergedInto(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	directory := filepath.Join(t.TempDir(), "team")
	for _, err := range []error{os.Mkdir(directory, 0o700), os.Chmod(directory, 0o770|fs.ModeSetgid), os.Chown(directory, 0, otherUser)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	config, link := filepath.Join(directory, "config"), filepath.Join(t.TempDir(), "config")
	write(t, config, "entries", 0o660)
	if err := os.Chown(config, otherUser, otherUser); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(config, link); err != nil {
		t.Fatal(err)
	}
	if err := updateShared(t.Context(), link, to("more entries")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(config)
	if err != nil {
		t.Fatal(err)
	}
	if owner, _, _ := guard.Ownership(info); owner != otherUser || info.Mode().Perm() != 0o660 {
		t.Errorf("it belongs to %d and has mode %v", owner, info.Mode())
	}
	if data, err := os.ReadFile(link); err != nil || string(data) != "more entries" {
		t.Errorf("it holds %q, %v", data, err)
	}
}

func TestShared_AFileThatIsAlwaysExchangedBehindTheMergeIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "old\n", 0o600)
	synctest.Test(t, func(t *testing.T) {
		err := updateShared(t.Context(), path, func([]byte) ([]byte, error) {
			other := path + ".other"
			write(t, other, "somebody else's change\n", 0o600)
			return []byte("new\n"), os.Rename(other, path)
		})
		if err == nil || !strings.Contains(err.Error(), "exchanged") {
			t.Errorf("%v", err)
		}
	})
	if data, err := os.ReadFile(path); err != nil || string(data) != "somebody else's change\n" {
		t.Errorf("it holds %q, %v", data, err)
	}
}

func TestShared_AnOwnFileThatIsExchangedIsReplacedByOneOfOurs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	directory := filepath.Join(t.TempDir(), "shared")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(directory, "x.kubeconfig")
	write(t, path, "old", 0o600)
	err := UpdateFile(t.Context(), UserKubeconfig, path, func([]byte) ([]byte, error) {
		// It is theirs from here on, as if it had been created between the look and the write.
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		write(t, path, "", 0o666)
		return []byte("secret"), os.Chown(path, otherUser, otherUser)
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if owner, _, _ := guard.Ownership(info); owner != os.Geteuid() || info.Mode().Perm() != 0o600 {
		t.Errorf("it belongs to %d and has mode %v", owner, info.Mode())
	}
}

func TestShared_AKeyThatAPersonNamesIsTheirsOrRoots(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	directory := t.TempDir()
	mine, theirs, link := filepath.Join(directory, "mine"), filepath.Join(directory, "theirs"), filepath.Join(directory, "link")
	for _, path := range []string{mine, theirs} {
		write(t, path, "key", 0o600)
	}
	if err := os.Chown(theirs, otherUser, -1); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mine, link); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadSecret(link); err != nil || string(data) != "key" {
		t.Errorf("through a link: %q, %v", data, err)
	}
	if _, err := ReadSecret(theirs); err == nil || !strings.Contains(err.Error(), "belongs to") {
		t.Errorf("another user's: %v", err)
	}
}

func TestShared_AGroupOfOnesOwnIsNobodyElse(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "D")
	for _, err := range []error{os.Mkdir(directory, 0o775), os.Chmod(directory, 0o775)} { //nolint:gosec // As the umask 002 has it.
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(directory)
	if err != nil {
		t.Fatal(err)
	}
	if want := guard.IsPrivateGroup(info); (guard.Guarded(directory) == nil) != want {
		t.Errorf("a directory of a private group (%v): %v", want, guard.Guarded(directory))
	}
	if os.Geteuid() != 0 {
		return
	}
	// A group that is not this user's own.
	if err := os.Chown(directory, -1, otherUser); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(directory, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := guard.Guarded(filepath.Join(directory, "below")); err == nil || !strings.Contains(err.Error(), "can write to the directory") {
		t.Errorf("%v", err)
	}
}
