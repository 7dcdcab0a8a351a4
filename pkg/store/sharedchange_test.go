package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// addTo is a change that is the same when it is applied twice.
func addTo(text string) changeFunc {
	return func(existing []byte) ([]byte, error) {
		if bytes.Contains(existing, []byte(text)) {
			return existing, nil
		}
		return append(bytes.Clone(existing), text...), nil
	}
}

func TestSharedChange_AChangeThatKubectlOverwritesIsMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "theirs", 0o600)
	changes := 0
	overwritten := make(chan error, 1)
	err := UpdateSharedFile(t.Context(), path, func(existing []byte) ([]byte, error) {
		if changes++; changes == 1 {
			// As kubectl config does, which has read the file before the change.
			go func() {
				for {
					if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, existing) {
						overwritten <- errors.Join(err, os.WriteFile(path, []byte("theirs, changed"), 0o600))
						return
					}
				}
			}()
		}
		return addTo(" and ours")(existing)
	})
	if err := errors.Join(err, <-overwritten); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "theirs, changed and ours" || changes < 2 {
		t.Errorf("after %d changes: %q, %v", changes, data, err)
	}
}

func TestSharedChange_AFailedChangeIsNotTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "theirs", 0o600)
	changes, failedErr := 0, errors.New("failed")
	if err := UpdateSharedFile(t.Context(), path, func([]byte) ([]byte, error) {
		changes++
		return nil, failedErr
	}); !errors.Is(err, failedErr) || changes != 1 {
		t.Errorf("after %d changes: %v", changes, err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "theirs" {
		t.Errorf("%q, %v", data, err)
	}
	onlyFiles(t, filepath.Dir(path), "config")
}
