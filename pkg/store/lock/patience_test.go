package lock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestAcquire_ALockThatStaysIsWaitedForAndThenNamed(t *testing.T) {
	const patience = 15 * time.Second
	path := filepath.Join(t.TempDir(), "config")
	// kubectl's lock is an empty file.
	if err := os.WriteFile(path+Suffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		held, err := Acquire(t.Context(), path)
		if held != nil || err == nil || errors.Is(err, outcome.ErrTimedOut) || !strings.Contains(err.Error(), "is locked by another program") || !strings.Contains(err.Error(), patience.String()) {
			t.Errorf("%v, %v", held, err)
		}
		if hint := outcome.Hint(err); !strings.Contains(hint, "rm "+path+Suffix) {
			t.Errorf("hint %q", hint)
		}
		if took := time.Since(began); took != patience {
			t.Errorf("it was waited for %v", took)
		}
	})
	// The time of the caller ends first.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience/2)
		defer cancel()
		if held, err := Acquire(ctx, path); held != nil || !errors.Is(err, outcome.ErrTimedOut) || outcome.Hint(err) != "" {
			t.Errorf("%v, %v", held, err)
		}
	})
	// Its holder releases it meanwhile.
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(patience/2, func() { _ = os.Remove(path + Suffix) })
		held, err := Acquire(t.Context(), path)
		if err != nil || held == nil {
			t.Fatal(held, err)
		}
		if err := held.Release(); err != nil {
			t.Error(err)
		}
	})
}
