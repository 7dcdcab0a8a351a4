package pair

import (
	"fmt"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// CheckBegun returns an error for a certificate that has not expired and does not log in
// either, and says what to do.
func CheckBegun(certificate *pki.Certificate, now time.Time) error {
	leaf := certificate.Leaf
	err := certificate.CheckValidity(now)
	switch {
	case err == nil, !now.Before(leaf.NotAfter):
		return nil
	case leaf.NotAfter.Before(leaf.NotBefore):
		return outcome.WithHint(err, "%s", identity.AfterExpiry(certificate.User()))
	}
	return outcome.WithHint(err, identity.BeforeValidity)
}

// Expired says that a certificate cannot be renewed any more, and how it continues.
func Expired(user KubeconfigUser, certificate *pki.Certificate, now time.Time) error {
	name := certificate.User().Name
	return outcome.WithHint(
		fmt.Errorf("the certificate of %q in the context %q expired %s, and this machine's clock says %s: it cannot log in to request another",
			name, user.Context, pki.Stamp(certificate.Leaf.NotAfter), pki.Stamp(now)),
		"%s", identity.AfterExpiry(certificate.User()))
}
