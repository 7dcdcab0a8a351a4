package pki

import (
	"crypto/x509"
	"fmt"
	"math"
	"time"
)

// How Kubernetes' signer counts a lifetime: it puts the beginning of every
// certificate back by backdating, and counts lifetimes from longLifetime on from
// there and shorter ones from now (Kubernetes
// pkg/controller/certificates/authority/policies.go).
const (
	backdating   = 5 * time.Minute
	longLifetime = 8 * time.Hour
)

// lifetimeSeconds is how long the certificate is good for, in seconds: 0 if it ends
// before it begins. X.509 times are whole seconds from year 0 to 9999, whose difference
// an int64 holds and a time.Duration, of 292 years at most, does not.
func (c *Certificate) lifetimeSeconds() int64 {
	return max(0, c.Leaf.NotAfter.Unix()-c.Leaf.NotBefore.Unix())
}

// Lifetime is how long the certificate is good for, from its beginning to its end. It is
// 0 for a certificate that ends before it begins, and 292 years, the longest
// time.Duration, for one that is good for longer.
func (c *Certificate) Lifetime() time.Duration {
	return time.Duration(min(c.lifetimeSeconds(), int64(math.MaxInt64/time.Second))) * time.Second
}

// AskedLifetime is what a request has to ask for to get a certificate of the same
// lifetime from Kubernetes' signer. A request may not be able to ask for as much, or as
// little: see request.AskableLifetime.
func (c *Certificate) AskedLifetime() time.Duration {
	lifetime := c.Lifetime()
	if lifetime < longLifetime {
		return max(0, lifetime-backdating)
	}
	return lifetime
}

// RenewFrom is when a certificate is due to be renewed without anybody's asking:
// when less than a third of its lifetime is left.
func (c *Certificate) RenewFrom() time.Time { return c.beforeEnd(3) }

// WarnFrom is when it is time to say that a certificate could not be renewed: when less
// than a twelfth of its lifetime is left, a quarter of what was left when it was due.
func (c *Certificate) WarnFrom() time.Time { return c.beforeEnd(12) }

// beforeEnd is when one part of so many of the lifetime is left.
func (c *Certificate) beforeEnd(parts int64) time.Time {
	return time.Unix(c.Leaf.NotAfter.Unix()-c.lifetimeSeconds()/parts, 0).UTC()
}

// UsableUntil is a little before the certificate's end: a client that was given it
// before then can finish what it began, and a client that asks for another at that
// time gets it before the API server refuses this one.
func (c *Certificate) UsableUntil() time.Time {
	const most, least = time.Minute, time.Second
	return c.Leaf.NotAfter.Add(-min(most, max(least, c.Lifetime()/100)))
}

// SecondsLeft is how many seconds are left of the certificate at a time; negative after
// its end.
func (c *Certificate) SecondsLeft(now time.Time) int64 { return c.Leaf.NotAfter.Unix() - now.Unix() }

// checkTimes reports an error for a certificate whose times have no RFC 3339 form (years
// 0 to 9999), so that they could not be written. ASN.1 (X.680, GeneralizedTime) allows
// an offset that leads out of them.
func checkTimes(certificate *x509.Certificate) error {
	for _, t := range []time.Time{certificate.NotBefore, certificate.NotAfter} {
		if year := t.UTC().Year(); year < 0 || year > 9999 {
			return fmt.Errorf("invalid certificate: its validity is in the year %d", year)
		}
	}
	return nil
}
