package pki

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// ParseAuthorities reads the certificate authorities (CAs) that an API server's certificate
// is checked against, in PEM. Each one can vouch for a server, so anything that cannot be
// read is an error. Text between the blocks is dropped, as crypto/x509
// CertPool.AppendCertsFromPEM does.
func ParseAuthorities(data []byte) ([]*x509.Certificate, error) {
	var authorities []*x509.Certificate
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != certificateBlock {
			return nil, fmt.Errorf("invalid certificate authority (CA): a PEM block is not of type %q", certificateBlock)
		}
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("invalid certificate authority (CA): not an X.509 certificate")
		}
		authorities = append(authorities, authority)
	}
	if len(authorities) == 0 {
		return nil, errors.New("invalid certificate authority (CA): PEM block not found")
	}
	return authorities, nil
}

// AuthorityFingerprint names a certificate authority by its public key, in the form of
// Fingerprint, so that two people can compare it over another channel. It is the hash that
// kubeadm calls a CA certificate's (kubeadm join --discovery-token-ca-cert-hash), in base64.
func AuthorityFingerprint(authority *x509.Certificate) string {
	return fingerprintOf(authority.RawSubjectPublicKeyInfo)
}

// IsSignedBy reports whether a certificate chains to one authority, through the
// intermediates that came with it, and is valid for client authentication at a time.
func (c *Certificate) IsSignedBy(authority *x509.Certificate, at time.Time) bool {
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	_, err := (&ClientAuthorities{roots: roots}).AuthorityOf(c, at)
	return err == nil
}
