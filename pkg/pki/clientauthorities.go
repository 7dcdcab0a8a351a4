package pki

import (
	"crypto/x509"
	"time"
)

// ClientAuthorities are the authorities whose client certificates an API server takes
// (its --client-ca-file).
type ClientAuthorities struct{ roots *x509.CertPool }

// ParseClientAuthorities reads authorities in PEM, and passes over whatever else is
// there. It is nil if there is none.
func ParseClientAuthorities(data []byte) *ClientAuthorities {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil
	}
	return &ClientAuthorities{roots}
}

// AuthorityOf is the authority by which an API server that has these takes a certificate
// at a time. It decides as the API server does (k8s.io/apiserver
// pkg/authentication/request/x509): the certificate has to chain to one of them, through
// the intermediates that came with it, and to be good for client authentication.
func (a *ClientAuthorities) AuthorityOf(certificate *Certificate, at time.Time) (*x509.Certificate, error) {
	intermediates := x509.NewCertPool()
	for _, intermediate := range certificate.intermediates {
		intermediates.AddCert(intermediate)
	}
	chains, err := certificate.Leaf.Verify(x509.VerifyOptions{
		Roots: a.roots, Intermediates: intermediates, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, err
	}
	chain := chains[0]
	return chain[len(chain)-1], nil
}
