package renewal

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestRenewalRecord_ATroubleIsToldOnceADay(t *testing.T) {
	for _, test := range []struct {
		about  string
		record renewalRecord
		want   bool
	}{
		{"nothing is wrong", renewalRecord{}, false},
		{"it was never told", renewalRecord{Trouble: "denied"}, true},
		{"it was told a moment ago", renewalRecord{Trouble: "denied", Told: noon.Add(-time.Second)}, false},
		{"it was told almost a day ago", renewalRecord{Trouble: "denied", Told: noon.Add(time.Second - 24*time.Hour)}, false},
		{"it was told a day ago", renewalRecord{Trouble: "denied", Told: noon.Add(-24 * time.Hour)}, true},
	} {
		if got := test.record.isToBeTold(noon); got != test.want {
			t.Errorf("%s: %v, want %v", test.about, got, test.want)
		}
	}
}

func TestRenewalRecord_WhenARenewalIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		about   string
		ending  renewalEnding
		since   time.Duration
		left    time.Duration
		refused bool
		want    bool
	}{
		{"the one under way or waiting, asked a moment ago", renewalWaits, 4 * time.Second, time.Hour, false, false},
		{"the one that waits, asked a while ago", renewalWaits, 5 * time.Second, time.Hour, false, true},
		{"the one that waits, however long is left", renewalWaits, 5 * time.Second, 1000 * time.Hour, false, true},
		{"a failed one, with a twentieth of what is left", renewalFailed, 3 * time.Minute, time.Hour, false, true},
		{"a failed one, before that", renewalFailed, 3*time.Minute - time.Second, time.Hour, false, false},
		{"a failed one, when almost nothing is left", renewalFailed, 15 * time.Second, time.Second, false, true},
		{"a failed one, when almost nothing is left, too soon", renewalFailed, 14 * time.Second, time.Second, false, false},
		{"a failed one, with months left", renewalFailed, time.Hour, 2000 * time.Hour, false, true},
		{"one of a revoked user, when almost nothing is left", renewalRevoked, time.Hour - time.Second, time.Second, false, false},
		{"one of a revoked user, an hour later", renewalRevoked, time.Hour, time.Second, false, true},
		{"a refused one", renewalFailed, 100 * time.Hour, time.Hour, true, false},
		{"a clock that was put back", renewalFailed, -time.Hour, time.Hour, false, true},
	} {
		record := renewalRecord{Ending: test.ending, Attempted: noon.Add(-test.since)}
		if got := record.isToBeTried(noon, test.left, test.refused); got != test.want {
			t.Errorf("%s: %v, want %v", test.about, got, test.want)
		}
	}
	if !(renewalRecord{}).isToBeTried(noon, time.Hour, false) {
		t.Error("one that was never tried is not tried")
	}
}
