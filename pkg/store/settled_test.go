package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/lock"
)

func TestSettled_AKubeconfigIsUnsettledWhileItsLockExistsOrJustAfterAChange(t *testing.T) {
	changed := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		about, text              string
		isLocked                 bool
		after                    time.Duration
		isUnsettled, isUnwritten bool
	}{
		{"just changed", "x", false, justChanged - 1, true, false},
		{"long ago", "x", false, justChanged, false, false},
		{"of a clock that is ahead", "x", false, -justChanged, false, false},
		{"locked", "x", true, time.Hour, true, false},
		{"emptied", "", false, 0, true, true},
		{"empty and locked", "", true, time.Hour, true, true},
		{"empty for long", "", false, time.Hour, false, false},
	} {
		path := filepath.Join(t.TempDir(), "config")
		write(t, path, test.text, 0o600)
		if test.isLocked {
			write(t, path+lock.Suffix, "", 0o600)
		}
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
		now := changed.Add(test.after)
		if isUnsettled, isUnwritten := IsUnsettled(path, now), IsBeingWritten(path, now); isUnsettled != test.isUnsettled || isUnwritten != test.isUnwritten {
			t.Errorf("%s: unsettled %t, being written %t", test.about, isUnsettled, isUnwritten)
		}
	}
	if IsUnsettled(t.TempDir(), time.Now()) || IsUnsettled(filepath.Join(t.TempDir(), "missing"), time.Now()) {
		t.Error("what is no file is unsettled")
	}
}

func TestSettled_AKubeconfigThatIsBeingWrittenIsReadWhenItIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "", 0o600)
	changed, looks := time.Now(), 0
	// The writer is done when the reader has looked at the clock a few times.
	data, err := ReadKubeconfig(path, func() time.Time {
		if looks++; looks == 6 {
			write(t, path, "whole", 0o600)
		}
		return changed
	})
	if err != nil || string(data) != "whole" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestSettled_AnEmptyKubeconfigIsEmptyAfterAMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, "", 0o600)
	write(t, path+lock.Suffix, "", 0o600)
	begin, looks := time.Now(), 0
	data, err := ReadKubeconfig(path, func() time.Time {
		looks++
		return begin.Add(time.Duration(looks) * SettleTime / 4)
	})
	if err != nil || len(data) > 0 || looks > 10 {
		t.Errorf("%q, %v after %d looks", data, err, looks)
	}
	if _, err := ReadKubeconfig(path+"-missing", time.Now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
