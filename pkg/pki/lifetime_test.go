package pki

import (
	"crypto/x509"
	"testing"
	"time"
)

// Kubernetes' signer gives what is asked for by this arithmetic
// (pkg/controller/certificates/authority/policies.go).
func signersDates(now time.Time, asked time.Duration) (notBefore, notAfter time.Time) {
	notBefore, notAfter = now.Add(-5*time.Minute), now.Add(asked)
	if asked >= 8*time.Hour {
		notAfter = notBefore.Add(asked)
	}
	return notBefore, notAfter
}

// Between 7h55m and 8h the signer's arithmetic can't be undone: 7h56m and 8h1m give
// the same lifetime.
func TestARenewalAsksForAsMuchAsBefore(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, asked := range []time.Duration{10 * time.Minute, time.Hour, 7 * time.Hour, 8 * time.Hour, 30 * 24 * time.Hour} {
		notBefore, notAfter := signersDates(now, asked)
		certificate := &Certificate{Leaf: &x509.Certificate{NotBefore: notBefore, NotAfter: notAfter}}
		if again := certificate.AskedLifetime(); again != asked {
			t.Errorf("asked for %s, and then for %s", asked, again)
		}
	}
}

func TestWhenACertificateIsDueAndUntilWhenItIsUsed(t *testing.T) {
	end := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		lifetime, dueBefore, unusedBefore time.Duration
	}{
		{30 * 24 * time.Hour, 10 * 24 * time.Hour, time.Minute},
		{15 * time.Minute, 5 * time.Minute, 9 * time.Second},
		{30 * time.Second, 10 * time.Second, time.Second},
	} {
		certificate := &Certificate{Leaf: &x509.Certificate{NotBefore: end.Add(-test.lifetime), NotAfter: end}}
		if due := end.Sub(certificate.RenewFrom()); due != test.dueBefore {
			t.Errorf("of %s: due %s before its end, want %s", test.lifetime, due, test.dueBefore)
		}
		if unused := end.Sub(certificate.UsableUntil()); unused != test.unusedBefore {
			t.Errorf("of %s: not used for %s before its end, want %s", test.lifetime, unused, test.unusedBefore)
		}
	}
}

func TestARenewalsKeyIsOfTheSameKind(t *testing.T) {
	for _, name := range KeyAlgorithms() {
		algorithm := KeyAlgorithm(name)
		key, err := NewKey(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		if again := AlgorithmOf(key.Public()); again != algorithm {
			t.Errorf("a key of %s is renewed by one of %s", algorithm, again)
		}
	}
	if algorithm := AlgorithmOf(nil); algorithm != DefaultKeyAlgorithm {
		t.Errorf("a key that is not known is renewed by one of %s", algorithm)
	}
}
