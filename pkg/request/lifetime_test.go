package request

import (
	"math"
	"testing"
	"time"
)

func TestLifetime_ALifetimeFitsTheField(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, test := range []struct {
		lifetime, askable time.Duration
		seconds           int32
	}{
		{-year, MinimumLifetime, 0},
		{0, MinimumLifetime, 0},
		{5 * time.Minute, MinimumLifetime, 300},
		{30 * 24 * time.Hour, 30 * 24 * time.Hour, 2592000},
		{math.MaxInt32 * time.Second, math.MaxInt32 * time.Second, math.MaxInt32},
		{70 * year, math.MaxInt32 * time.Second, math.MaxInt32},
		{math.MaxInt64, math.MaxInt32 * time.Second, math.MaxInt32},
		{math.MinInt64, MinimumLifetime, 0},
	} {
		if got := AskableLifetime(test.lifetime); got != test.askable {
			t.Errorf("of %s, a request asks for %s, want %s", test.lifetime, got, test.askable)
		}
		if got := *ExpirationSeconds(test.lifetime); got != test.seconds {
			t.Errorf("%s is written as %d seconds, want %d", test.lifetime, got, test.seconds)
		}
	}
}
