package request

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestWithin_WithinIsADurationOrAFractionOfTheLifetime(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]struct{ of8h, of30d time.Duration }{
		"7d":        {7 * day, 7 * day},
		"90m":       {90 * time.Minute, 90 * time.Minute},
		"1/3":       {160 * time.Minute, 10 * day},
		"2/3":       {320 * time.Minute, 20 * day},
		"1/1":       {8 * time.Hour, 30 * day},
		"0001/0002": {4 * time.Hour, 15 * day},
	} {
		within, err := ParseWithin(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := within.Of(8 * time.Hour); got != want.of8h {
			t.Errorf("%q of 8h is %s, want %s", text, got, want.of8h)
		}
		if got := within.Of(30 * day); got != want.of30d {
			t.Errorf("%q of 30d is %s, want %s", text, got, want.of30d)
		}
		if within.IsZero() {
			t.Errorf("%q is any time", text)
		}
	}
	most, err := ParseWithin("9999/9999")
	if got := most.Of(math.MaxInt64); err != nil || got <= 0 {
		t.Errorf("all of the longest lifetime is %s, %v", got, err)
	}
}

func TestWithin_WithinRefusesEverythingElse(t *testing.T) {
	for _, text := range []string{"", "0", "0d", "0/3", "3/2", "1/0", "0/0", "1/", "/3", "-1/3", "1/-3", "1 / 3", "0.3", "30%", "1/3d", "10000/10001", "tomorrow"} {
		if within, err := ParseWithin(text); !errors.Is(err, outcome.ErrUsage) {
			t.Errorf("%q is %+v, %v", text, within, err)
		}
	}
}
