package onboard

import (
	"fmt"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// CheckIssued reports whether what a signer stored is the certificate that was asked
// for.
func (p *Program) CheckIssued(issued *request.Request, key any, user identity.User) (*pki.Certificate, error) {
	certificate, err := pki.ParseCertificate(issued.Status.Certificate)
	if err == nil {
		err = pki.Match(certificate, key, user, p.Now())
		if !p.Now().Before(certificate.Leaf.NotAfter) {
			err = outcome.WithHint(err, "nothing was written; request another, with a new key: run new-user again with the same groups")
		}
	}
	if err != nil {
		return nil, outcome.WithHint(
			fmt.Errorf("the certificate in certificate signing request %q cannot be used: %w", issued.Name, err),
			"nothing was written; ask the administrator what signed it: %s", identity.NewCommand("kubectl get csr").Argument(issued.Name).Words("-o yaml"))
	}
	p.Tell(CertificateIssued{
		NotAfter: certificate.Leaf.NotAfter,
		Issuer:   certificate.Leaf.Issuer.String(),
		Asked:    request.LifetimeOf(issued),
		Given:    certificate.Lifetime(),
	})
	return certificate, nil
}
