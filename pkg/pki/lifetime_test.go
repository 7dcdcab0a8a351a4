package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
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

// Between 7h55m and 8h the signer's arithmetic cannot be undone: 7h56m and 8h1m give
// the same lifetime.
func TestLifetime_ARenewalAsksForAsMuchAsBefore(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, asked := range []time.Duration{10 * time.Minute, time.Hour, 7 * time.Hour, 8 * time.Hour, 30 * 24 * time.Hour} {
		notBefore, notAfter := signersDates(now, asked)
		certificate := &Certificate{Leaf: &x509.Certificate{NotBefore: notBefore, NotAfter: notAfter}}
		if again := certificate.AskedLifetime(); again != asked {
			t.Errorf("asked for %s, and then for %s", asked, again)
		}
	}
}

func TestLifetime_WhenACertificateIsDueAndUntilWhenItIsUsed(t *testing.T) {
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

func TestLifetime_ARenewalsKeyIsOfTheSameKind(t *testing.T) {
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

func TestLifetime_TimesOfAllCertificatesAreCounted(t *testing.T) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	at := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
	const longest = 292 * year
	for about, test := range map[string]struct {
		begin, end time.Time
		lifetime   time.Duration
		renewFrom  time.Time
	}{
		"of 1960":                      {at(1960), at(1960).Add(30 * day), 30 * day, at(1960).Add(20 * day)},
		"of 1950, the first UTCTime":   {at(1950), at(1950).Add(30 * day), 30 * day, at(1950).Add(20 * day)},
		"before UTCTime":               {at(1949), at(1949).Add(30 * day), 30 * day, at(1949).Add(20 * day)},
		"over the end of UTCTime":      {at(2049), at(2049).Add(3 * year), 3 * year, at(2049).Add(2 * year)},
		"of 70 years":                  {at(2020), at(2020).Add(70 * year), 70 * year, at(2090).Add(-70*year/3 - 17*day)},
		"of a second":                  {at(2026), at(2026).Add(time.Second), time.Second, at(2026).Add(time.Second)},
		"that ends as it begins":       {at(2026), at(2026), 0, at(2026)},
		"that ends before it begins":   {at(2026), at(2025), 0, at(2025)},
		"that ends centuries before":   {at(9999), at(1), 0, at(1)},
		"without an end (RFC 5280)":    {at(2026), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), longest, time.Time{}},
		"from year 0 to the last year": {at(0), at(9999), longest, at(9999 - 3333)},
	} {
		certificate := &Certificate{Leaf: &x509.Certificate{NotBefore: test.begin, NotAfter: test.end}}
		got := certificate.Lifetime()
		if test.lifetime == longest {
			got = got.Truncate(longest)
		}
		if got != test.lifetime {
			t.Errorf("%s: it is good for %s, want %s", about, certificate.Lifetime(), test.lifetime)
		}
		if asked := certificate.AskedLifetime(); asked < 0 || asked > certificate.Lifetime() {
			t.Errorf("%s: a renewal asks for %s", about, asked)
		}
		from, warn, usable := certificate.RenewFrom(), certificate.WarnFrom(), certificate.UsableUntil()
		if off := from.Sub(test.renewFrom).Abs(); !test.renewFrom.IsZero() && off > 3*day {
			t.Errorf("%s: due at %s, want %s", about, from, test.renewFrom)
		}
		if from.After(test.end) || warn.Before(from) || warn.After(test.end) || usable.After(test.end) ||
			test.begin.Before(test.end) && from.Before(test.begin) {
			t.Errorf("%s: due at %s, warned of at %s, used until %s", about, from, warn, usable)
		}
	}
}

func TestLifetime_SecondsLeftAreExact(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	certificate := &Certificate{Leaf: &x509.Certificate{NotBefore: now, NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}}
	if left := certificate.SecondsLeft(now); left != 251635075199 {
		t.Errorf("%d seconds are left", left)
	}
	certificate.Leaf.NotAfter = now.Add(-time.Second)
	if left := certificate.SecondsLeft(now); left != -1 {
		t.Errorf("%d seconds are left of one that has expired", left)
	}
}

// X.509 times as a signer may store them, beginning and end.
func TestLifetime_CertificatesOfAllTimesAreParsedOrRefused(t *testing.T) {
	key := newTestKey(t)
	for about, test := range map[string]struct {
		begin, end time.Time
		refused    bool
	}{
		"1960":                  {time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), false},
		"1950":                  {time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC), false},
		"2050":                  {time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC), false},
		"the last second":       {time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), false},
		"the end at its begin":  {time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), false},
		"the end before it":     {time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), false},
		"in no year of RFC3339": {time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), true},
	} {
		leaf := &x509.Certificate{NotBefore: test.begin, NotAfter: test.end}
		if err := checkTimes(leaf); (err != nil) != test.refused {
			t.Errorf("%s: %v", about, err)
		}
		if test.refused {
			continue
		}
		leaf.SerialNumber = big.NewInt(1)
		leaf.Subject = pkix.Name{CommonName: "jane"}
		der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		if !parsed.Leaf.NotBefore.Equal(test.begin) || !parsed.Leaf.NotAfter.Equal(test.end) {
			t.Errorf("%s: parsed as %s to %s", about, parsed.Leaf.NotBefore, parsed.Leaf.NotAfter)
		}
	}
}
