package policy

import (
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Certificate is a certificate that the cluster is known to have issued.
type Certificate struct {
	// CredentialID is how the API server names it: "X509SHA256=" and the SHA-256 of its DER.
	CredentialID string
	// User is who it makes its holder.
	User identity.User
	// Key is the fingerprint of its public key.
	Key                 string
	NotBefore, NotAfter time.Time
	// ApprovedAt is when its request was approved, which is before it was issued; zero if unknown.
	// NotBefore is minutes before that (Kubernetes pkg/controller/certificates/authority).
	ApprovedAt time.Time
	// Renews is the credential id of the certificate with which its user requested it; "" if
	// it renews none.
	Renews string
	// ChainStart is when the first of its chain of renewals was issued; zero if that has to be
	// found out by following Renews.
	ChainStart time.Time
}

// HasExpired reports whether it does not log in any more at a time. One that was issued is valid from
// the beginning, also where that is later by the clock here than by the clock of the cluster.
func (c *Certificate) HasExpired(now time.Time) bool { return !now.Before(c.NotAfter) }

// CertificateOf is the certificate of a request that was issued; false if there is none.
func CertificateOf(object *request.Request) (*Certificate, bool) {
	if request.StateOf(object) != request.Issued {
		return nil, false
	}
	issued, err := pki.ParseCertificate(object.Status.Certificate)
	if err != nil {
		return nil, false
	}
	one := &Certificate{
		CredentialID: access.CredentialID(issued.SHA256()), User: issued.User(), Key: pki.Fingerprint(issued.Leaf.PublicKey),
		NotBefore: issued.Leaf.NotBefore, NotAfter: issued.Leaf.NotAfter, ApprovedAt: approvedByAnyoneAt(object),
	}
	if credentials := object.Spec.Extra[access.CredentialIDKey]; object.Spec.Username == one.User.Name && len(credentials) == 1 {
		one.Renews = credentials[0]
	}
	return one, true
}

// Certificates are those that are known, by their credential ids.
type Certificates map[string]*Certificate

// Of are the certificates of a user, in the order of their credential ids.
func (c Certificates) Of(user string) []*Certificate {
	var all []*Certificate
	for _, one := range c {
		if one.User.Name == user {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b *Certificate) int {
		if a.CredentialID < b.CredentialID {
			return -1
		}
		return 1
	})
	return all
}

// chainStart is when the first of a certificate and those that it renews was issued, as far as they
// are known; zero if that is unknown.
func (c Certificates) chainStart(last *Certificate) (start time.Time) {
	seen := map[string]bool{}
	for one := last; ; {
		seen[one.CredentialID] = true
		switch {
		case !one.ChainStart.IsZero():
			return one.ChainStart
		case one.Renews == "":
			return one.NotBefore
		}
		before, isKnown := c[one.Renews]
		if !isKnown || before.User.Name != last.User.Name || seen[before.CredentialID] {
			return time.Time{}
		}
		one = before
	}
}
