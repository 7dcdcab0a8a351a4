package renewal

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestStatus_WhetherAContextWarnsAndFailsGoesByItsLifetimeAndItsRenewal(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	const day, week = 24 * time.Hour, 7 * 24 * time.Hour
	itself := func(s *ContextStatus) { s.RenewsItself = true }
	inTrouble := func(s *ContextStatus) { s.RenewsItself, s.InTrouble = true, "it waits" }
	denied := func(s *ContextStatus) { s.RenewsItself, s.Renewal = true, request.Denied }
	for _, test := range []struct {
		about          string
		lifetime, left time.Duration
		change         func(*ContextStatus)
		within         time.Duration
		warns, fails   bool
	}{
		{"a fresh one of 8 hours", 8 * time.Hour, 7 * time.Hour, nil, week, false, true},
		{"a fresh one of 8 hours, asked about an hour", 8 * time.Hour, 7 * time.Hour, nil, time.Hour, false, false},
		{"one of 8 hours in its last third", 8 * time.Hour, 2 * time.Hour, nil, time.Hour, true, false},
		{"one of a year with a month left", 365 * day, 30 * day, nil, week, false, false},
		{"one of a year in its last week", 365 * day, 6 * day, nil, week, true, true},
		{"one of 8 hours that renews itself", 8 * time.Hour, 7 * time.Hour, itself, week, false, false},
		{"one that renews itself, and is due", 8 * time.Hour, 2 * time.Hour, itself, week, false, false},
		{"one that renews itself, and is overdue", 8 * time.Hour, 30 * time.Minute, itself, week, true, true},
		{"one whose renewal is in trouble", 8 * time.Hour, 2 * time.Hour, inTrouble, week, true, true},
		{"one whose renewal is in trouble, with time enough", 8 * time.Hour, 2 * time.Hour, inTrouble, time.Hour, true, false},
		{"one whose renewal was denied", 8 * time.Hour, 2 * time.Hour, denied, week, true, true},
		{"one that renews itself, and has expired", 8 * time.Hour, -time.Minute, itself, time.Minute, true, true},
	} {
		end := now.Add(test.left)
		found := ContextStatus{Certificate: &pki.Certificate{Leaf: &x509.Certificate{NotBefore: end.Add(-test.lifetime), NotAfter: end}}}
		if test.change != nil {
			test.change(&found)
		}
		if got := found.ShouldWarn(now); got != test.warns {
			t.Errorf("%s: it warns: %v", test.about, got)
		}
		if got := found.ExpiresUnrenewed(test.within, now); got != test.fails {
			t.Errorf("%s: it fails: %v", test.about, got)
		}
	}
	if nothing := (ContextStatus{}); nothing.ShouldWarn(now) || nothing.ExpiresUnrenewed(week, now) || nothing.IsInvalid(now) {
		t.Error("a context without a certificate warns or fails")
	}
}
