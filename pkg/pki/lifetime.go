package pki

import "time"

// How Kubernetes' signer counts a lifetime: it puts the beginning of every
// certificate back by backdating, and counts lifetimes from longLifetime on from
// there and shorter ones from now (Kubernetes
// pkg/controller/certificates/authority/policies.go).
const (
	backdating   = 5 * time.Minute
	longLifetime = 8 * time.Hour
)

// Lifetime is how long the certificate is good for, from its beginning to its end.
func (c *Certificate) Lifetime() time.Duration { return c.Leaf.NotAfter.Sub(c.Leaf.NotBefore) }

// AskedLifetime is what a request has to ask for to get a certificate of the same
// lifetime from Kubernetes' signer.
func (c *Certificate) AskedLifetime() time.Duration {
	lifetime := c.Lifetime()
	if lifetime < longLifetime {
		lifetime -= backdating
	}
	return lifetime
}

// RenewFrom is when a certificate is due to be renewed without anybody's asking:
// when less than a third of its lifetime is left.
func (c *Certificate) RenewFrom() time.Time { return c.Leaf.NotAfter.Add(-c.Lifetime() / 3) }

// WarnFrom is when it is time to say that a certificate could not be renewed: when less
// than a twelfth of its lifetime is left, a quarter of what was left when it was due.
func (c *Certificate) WarnFrom() time.Time { return c.Leaf.NotAfter.Add(-c.Lifetime() / 12) }

// UsableUntil is a little before the certificate's end: a client that was given it
// before then can finish what it began, and a client that asks for another at that
// time gets it before the API server refuses this one.
func (c *Certificate) UsableUntil() time.Time {
	const most, least = time.Minute, time.Second
	return c.Leaf.NotAfter.Add(-min(most, max(least, c.Lifetime()/100)))
}
