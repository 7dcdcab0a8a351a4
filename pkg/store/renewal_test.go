package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// privateDirectory is one that is the program's own.
func privateDirectory(t *testing.T) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "renewals")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestRenewal_RenewalsAreOneUsersOnly(t *testing.T) {
	renewals := privateDirectory(t)
	for _, user := range []string{"jane", "jane-2", "janet", "Jane"} {
		for _, certificate := range []string{"first", "second"} {
			if err := RenewalOf(renewals, user, []byte(certificate)).Prepare(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, user := range []string{"jane", "jane-2", "janet", "Jane"} {
		if found := RenewalsOf(renewals, user); len(found) != 2 {
			t.Errorf("%s has the renewals %v", user, found)
		}
	}
	if found := RenewalsOf(filepath.Join(renewals, "nowhere"), "jane"); found != nil {
		t.Errorf("%v", found)
	}
}

func TestRenewal_ADiscardedRenewalLeavesNothing(t *testing.T) {
	renewals := privateDirectory(t)
	renewal := RenewalOf(renewals, "jane", []byte("certificate"))
	if err := renewal.Discard(); err != nil {
		t.Errorf("one that is not there: %v", err)
	}
	if err := renewal.Prepare(); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		renewal.CreateKey([]byte("key")), renewal.WriteRequest([]byte("request")),
		renewal.WritePrevious([]byte("previous")), renewal.WriteRefusal("it was denied"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if reason := renewal.Refusal(); reason != "it was denied" {
		t.Errorf("refused because of %q", reason)
	}
	for _, path := range []string{renewal.PreviousPath(), renewal.KeyPath()} {
		if mode := modeOf(t, path); mode.Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, mode)
		}
	}
	if err := renewal.Discard(); err != nil {
		t.Fatal(err)
	}
	onlyFiles(t, renewals)
}

func TestRenewal_ALockIsOnesOnlyUntilItIsReleased(t *testing.T) {
	path := filepath.Join(t.TempDir(), "renewals", "jane-x")
	held, err := TryLock(path)
	if err != nil || held == nil {
		t.Fatalf("%v, %v", held, err)
	}
	if another, err := TryLock(path); err != nil || another != nil {
		t.Errorf("taken twice: %v, %v", another, err)
	}
	waited := make(chan error, 1)
	go func() {
		lock, err := WaitForLock(t.Context(), path)
		if err == nil {
			err = lock.Release()
		}
		waited <- err
	}()
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-waited:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the lock was released, and nobody got it")
	}
	onlyFiles(t, filepath.Dir(path))
}

func TestRenewal_TheLocksOfDeadRunsAreRemoved(t *testing.T) {
	renewals := privateDirectory(t)
	leaveLock(t, filepath.Join(renewals, "jane-dead"))
	leaveLock(t, filepath.Join(renewals, "janet-dead"))
	held, err := TryLock(filepath.Join(renewals, "jane-alive"))
	if err != nil || held == nil {
		t.Fatalf("%v, %v", held, err)
	}
	RemoveAbandonedLocks(renewals, "jane")
	onlyFiles(t, renewals, "jane-alive.lock", "janet-dead.lock")
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestRenewal_AFileThatIsGoneIsRemovedAlready(t *testing.T) {
	if err := wholefile.Remove(filepath.Join(t.TempDir(), "nothing")); err != nil {
		t.Error(err)
	}
}

// TestRenewal_AHalfDiscardedRenewalIsRecognised is about a run that ends in between: what is
// left can be told by the key only.
func TestRenewal_AHalfDiscardedRenewalIsRecognised(t *testing.T) {
	renewal := RenewalOf(privateDirectory(t), "jane", []byte("certificate"))
	if err := renewal.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := renewal.CreateKey([]byte("key")); err != nil {
		t.Fatal(err)
	}
	// Something that cannot be removed.
	if err := os.MkdirAll(filepath.Join(renewal.PreviousPath(), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := renewal.Discard(); err == nil {
		t.Fatal("it is discarded")
	}
	if _, err := renewal.ReadKey(); err != nil {
		t.Errorf("its key is gone: %v", err)
	}
}
