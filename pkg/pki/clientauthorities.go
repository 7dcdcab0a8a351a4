package pki

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

// ClientAuthorities are the authorities whose client certificates an API server takes
// (its --client-ca-file).
type ClientAuthorities struct {
	roots        *x509.CertPool
	certificates []*x509.Certificate
}

// ParseClientAuthorities reads authorities in PEM, and passes over whatever else is
// there. It is nil if there is none.
func ParseClientAuthorities(data []byte) *ClientAuthorities {
	authorities := &ClientAuthorities{roots: x509.NewCertPool()}
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if block.Type != certificateBlock || err != nil {
			continue
		}
		authorities.roots.AddCert(certificate)
		authorities.certificates = append(authorities.certificates, certificate)
	}
	if len(authorities.certificates) == 0 {
		return nil
	}
	return authorities
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

// EverAuthorityOf is AuthorityOf at any time at which the certificate and the authority
// are both valid. It depends on no clock: Kubernetes' signer dates a certificate back by
// five minutes, which may be before its authority was made, and a certificate that has
// expired still shows which authority signs.
func (a *ClientAuthorities) EverAuthorityOf(certificate *Certificate) (*x509.Certificate, error) {
	// Where all of a chain are valid at some time, they are at the latest of their
	// beginnings.
	var firstErr error
	for _, member := range slices.Concat([]*x509.Certificate{certificate.Leaf}, certificate.intermediates, a.certificates) {
		authority, err := a.AuthorityOf(certificate, member.NotBefore)
		if err == nil {
			return authority, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return nil, firstErr
}
