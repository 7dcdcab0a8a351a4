package ledger

import (
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// State is what a certificate is good for.
type State string

// The states. A superseded certificate still logs in, until it expires or is revoked.
const (
	Valid      State = "valid"
	Superseded State = "superseded"
	Revoked    State = "revoked"
	Expired    State = "expired"
	// NotYet is of a certificate that is not valid before some time to come.
	NotYet State = "not-yet-valid"
	// Unverified is of a certificate by which the API server accepts nobody, as far as the
	// recorder could see: no known authority has signed it, or it cannot be read.
	Unverified State = "unverified"
)

// States are all states, in the order in which they are told.
func States() []State { return []State{Valid, Superseded, NotYet, Unverified, Revoked, Expired} }

// StateAt is the state of a certificate at a time.
func (c *ClientCertificate) StateAt(now time.Time) State {
	switch {
	case slices.Contains(c.Spec.Problems, Unreadable):
		return Unverified
	case !now.Before(c.Spec.NotAfter.Time):
		return Expired
	case c.Status.Revoked:
		return Revoked
	case slices.Contains(c.Spec.Problems, UnknownAuthority):
		return Unverified
	case now.Before(c.Spec.NotBefore.Time):
		return NotYet
	case c.Status.SupersededBy != "":
		return Superseded
	}
	return Valid
}

// LogsIn reports whether a certificate gives access at a time.
func (s State) LogsIn() bool { return s == Valid || s == Superseded }

// CredentialID is how the API server names the certificate when somebody logs in with it.
func (c *ClientCertificate) CredentialID() string { return access.CertificateIDPrefix + c.Name }

// IsRevokedBy reports whether a list revokes a certificate: by itself, with all of its user, or
// by a pin whose group it does not have.
func (c *ClientCertificate) IsRevokedBy(list access.List, now time.Time) bool {
	for _, blocked := range []access.Blocked{{CredentialID: c.CredentialID()}, {User: c.Spec.User}, {User: c.Spec.User, IsPin: true}} {
		if blocked == (access.Blocked{}) || blocked == (access.Blocked{IsPin: true}) {
			continue
		}
		details, isRefused := list.Refuses(blocked, now)
		if isRefused && (!blocked.IsPin || !slices.Contains(c.Spec.Groups, details.PinGroup)) {
			return true
		}
	}
	return false
}

// unreadableFor is how long the record of a certificate is kept of which nobody can tell when it
// expires: longer than Kubernetes' signer has certificates live by default.
const unreadableFor = 400 * 24 * time.Hour

// KeepUntil is when a record may be dropped: so long after the certificate has expired.
func (c *ClientCertificate) KeepUntil(retention time.Duration) time.Time {
	if c.Spec.NotAfter.IsZero() {
		return c.CreationTimestamp.Add(unreadableFor)
	}
	return c.Spec.NotAfter.Add(retention)
}

// Count adds a certificate to those that its user has, if it has not expired.
func (c *ClientCertificate) Count(in *access.Certificates, now time.Time) {
	switch state := c.StateAt(now); {
	case state == Revoked:
		in.Revoked++
	case state.LogsIn():
		in.Live++
		if end := c.Spec.NotAfter.Time; end.After(in.Until) {
			in.Until = end
		}
	}
}
