package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
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

// TestSharedChange_AFileThatAnotherProgramIsWritingIsReadWhenItIsWhole has a program that does not
// take FILE.lock, and writes a kubeconfig in two steps.
func TestSharedChange_AFileThatAnotherProgramIsWritingIsReadWhenItIsWhole(t *testing.T) {
	const first, second = "theirs: [\n", "theirs]\n"
	for about, steps := range map[string][2]string{
		"emptied":                            {"", first + second},
		"in the middle of a line":            {first + "the", "irs]\n"},
		"at the end of a line, and not YAML": {first, second},
	} {
		path := filepath.Join(t.TempDir(), "config")
		write(t, path, "theirs\n", 0o600)
		synctest.Test(t, func(t *testing.T) {
			other, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.WriteString(steps[0]); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(justChanged-SettlePause/2, func() {
				if Exists(path + lock.Suffix) {
					t.Errorf("%s: the lock is held while the file is looked at", about)
				}
				_, err := other.WriteString(steps[1])
				if err := errors.Join(err, other.Close()); err != nil {
					t.Error(err)
				}
			})
			err = UpdateSharedFile(t.Context(), path, func(existing []byte) ([]byte, error) {
				if bytes.Contains(existing, []byte("[")) && !bytes.Contains(existing, []byte("]")) {
					return nil, errors.New("not a kubeconfig")
				}
				return addTo("ours\n")(existing)
			})
			if data, readErr := os.ReadFile(path); err != nil || string(data) != first+second+"ours\n" {
				t.Errorf("%s: %q, %v, %v", about, data, err, readErr)
			}
		})
		onlyFiles(t, filepath.Dir(path), "config")
	}
}

// TestSharedChange_WhatIsWrittenAfterTheReadStays has a program that does not take FILE.lock write
// between the read and the rename.
func TestSharedChange_WhatIsWrittenAfterTheReadStays(t *testing.T) {
	for about, meanwhile := range map[string]func(path string) error{
		"in place": func(path string) error { return os.WriteFile(path, []byte("theirs, longer\n"), 0o600) },
		"in place, of the old size": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("others\n"), 0o600), os.Chtimes(path, time.Now(), time.Now()))
		},
		"a new file": func(path string) error {
			return errors.Join(os.WriteFile(path+".new", []byte("others\n"), 0o600), os.Rename(path+".new", path))
		},
		"a first file": func(path string) error { return os.WriteFile(path, []byte("others\n"), 0o600) },
	} {
		path := filepath.Join(t.TempDir(), "config")
		if about != "a first file" {
			write(t, path, "theirs\n", 0o600)
		}
		synctest.Test(t, func(t *testing.T) {
			var theirs []byte
			err := UpdateSharedFile(t.Context(), path, func(existing []byte) (_ []byte, err error) {
				if theirs == nil {
					if err := meanwhile(path); err != nil {
						return nil, err
					}
					if theirs, err = os.ReadFile(path); err != nil {
						return nil, err
					}
				}
				return addTo("ours\n")(existing)
			})
			if data, readErr := os.ReadFile(path); err != nil || string(data) != string(theirs)+"ours\n" {
				t.Errorf("%s: %q, %v, %v", about, data, err, readErr)
			}
		})
		onlyFiles(t, filepath.Dir(path), "config")
	}
}

func TestSharedChange_AFileThatIsNeverWholeIsNotWaitedForWithoutEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "", 0o600)
	changed := func(existing []byte) ([]byte, error) {
		return nil, fmt.Errorf("a change of %q is asked for", existing)
	}
	synctest.Test(t, func(t *testing.T) {
		isWritten, stop := context.WithCancel(t.Context())
		defer stop()
		go func() {
			tick := time.NewTicker(justChanged / 4)
			defer tick.Stop()
			for text := ""; isWritten.Err() == nil; text += "x" {
				write(t, path, text, 0o600)
				select {
				case <-tick.C:
				case <-isWritten.Done():
				}
			}
		}()
		synctest.Wait()
		began := time.Now()
		err := UpdateSharedFile(t.Context(), path, changed)
		if took := time.Since(began); !errors.Is(err, errIncomplete) || took < SettleTime || took > 2*SettleTime {
			t.Errorf("after %v: %v", took, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(SettleTime/2, cancel)
		if err := UpdateSharedFile(ctx, path, changed); !errors.Is(err, outcome.ErrInterrupted) {
			t.Errorf("%v, want it to be interrupted", err)
		}
	})
	onlyFiles(t, filepath.Dir(path), "config")
}

func TestSharedChange_AnEmptyFileThatStaysEmptyIsChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "", 0o600)
	synctest.Test(t, func(t *testing.T) {
		if err := UpdateSharedFile(t.Context(), path, addTo("ours\n")); err != nil {
			t.Error(err)
		}
	})
	if data, err := os.ReadFile(path); err != nil || string(data) != "ours\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestSharedChange_AFileThatAlwaysChangesMeanwhileIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "theirs\n", 0o600)
	synctest.Test(t, func(t *testing.T) {
		theirs := "theirs\n"
		err := UpdateSharedFile(t.Context(), path, func(existing []byte) ([]byte, error) {
			theirs += "more\n"
			write(t, path, theirs, 0o600)
			return addTo("ours\n")(existing)
		})
		if data, readErr := os.ReadFile(path); !errors.Is(err, wholefile.ErrExchanged) || string(data) != theirs {
			t.Errorf("%q, %v, %v", data, err, readErr)
		}
	})
	onlyFiles(t, filepath.Dir(path), "config")
}

func TestSharedChange_AFileThatWasWrittenAfterTheReadIsNotWrittenInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "theirs\n", 0o600)
	opened, err := readShared(path)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.close()
	write(t, path, "theirs, changed\n", 0o600)
	if err := opened.rewrite([]byte("theirs\nours\n")); !errors.Is(err, wholefile.ErrExchanged) {
		t.Error(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "theirs, changed\n" {
		t.Errorf("%q, %v", data, err)
	}
	onlyFiles(t, filepath.Dir(path), "config")
}
