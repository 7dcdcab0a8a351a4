package pki

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// maximumCertificateBytes bounds what is decoded of an API object's
// certificate: a leaf and a few intermediates are a tenth of it.
const maximumCertificateBytes = 256 << 10

const certificateBlock = "CERTIFICATE"

// Certificate is a client certificate with the intermediates that came with
// it.
type Certificate struct {
	// Leaf is the holder's certificate.
	Leaf *x509.Certificate
	// Subject is the leaf's subject, attribute by attribute.
	Subject Subject
	// PEM holds leaf and intermediates and nothing else, re-encoded.
	PEM []byte

	intermediates []*x509.Certificate
}

// ParseCertificate reads one or more PEM blocks of type CERTIFICATE, the leaf
// first, as status.certificate holds them, or one certificate in DER or base64, as
// other tools write it. Text between the blocks, which the API allows, is dropped; any
// other block, one that is damaged, or DER that is not consumed whole, is an error.
func ParseCertificate(data []byte) (*Certificate, error) {
	if len(data) > maximumCertificateBytes {
		return nil, fmt.Errorf("the certificate has %d bytes; at most %d are read", len(data), maximumCertificateBytes)
	}
	certificate := &Certificate{}
	var encoded bytes.Buffer
	text := asPEM(data, certificateBlock)
	damaged := countPEM(text)
	for rest := text; ; damaged-- {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != certificateBlock {
			return nil, fmt.Errorf("there is a PEM block %q where %q is expected", block.Type, certificateBlock)
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			if err := formErr(block.Bytes, aCertificate); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("invalid X.509 certificate: %w", err)
		}
		if err := checkTimes(parsed); err != nil {
			return nil, err
		}
		if certificate.Leaf == nil {
			certificate.Leaf = parsed
		} else {
			certificate.intermediates = append(certificate.intermediates, parsed)
		}
		if err := pem.Encode(&encoded, &pem.Block{Type: certificateBlock, Bytes: block.Bytes}); err != nil {
			return nil, err
		}
	}
	if damaged > 0 {
		return nil, errors.New("a PEM block in it is truncated or damaged")
	}
	if certificate.Leaf == nil {
		if err := formErr(data, aCertificate); err != nil {
			return nil, err
		}
		return nil, errors.New("PEM block not found")
	}
	var err error
	if certificate.Subject, err = parseSubject(certificate.Leaf.RawSubject); err != nil {
		return nil, err
	}
	certificate.PEM = encoded.Bytes()
	return certificate, nil
}

// User is who the API server takes the certificate's holder for.
func (c *Certificate) User() identity.User { return c.Subject.User() }

// SHA256 is the hash of the leaf's DER, by which Kubernetes names a credential
// (authentication.kubernetes.io/credential-id).
func (c *Certificate) SHA256() []byte {
	sum := sha256.Sum256(c.Leaf.Raw)
	return sum[:]
}

// Match reports whether a certificate is what its user asked for and can use:
// it certifies their public key, names them and their groups and nobody else, is
// good for client authentication and for nothing more, and is valid now. The
// API server lets a signer store any certificate in a request's status, so
// none of it can be taken on trust.
func Match(certificate *Certificate, key crypto.PublicKey, user identity.User, now time.Time) error {
	leaf := certificate.Leaf
	switch {
	case !SamePublicKey(leaf.PublicKey, key):
		return fmt.Errorf("the certificate is for another key: %s, not %s", Fingerprint(leaf.PublicKey), Fingerprint(key))
	case certificate.Subject.Count(CommonName) != 1 || !certificate.User().Equal(user):
		return fmt.Errorf("the certificate is for %s, not for %s", certificate.Subject, user)
	case leaf.IsCA:
		return errors.New("the certificate is a CA certificate")
	case len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0:
		return outcome.WithHint(errors.New("the certificate has no extended key usage, and client authentication is needed"),
			"sign it again for client authentication; with openssl x509 -req, add: -extfile client.ext, a file with the line extendedKeyUsage=clientAuth")
	case len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || len(leaf.UnknownExtKeyUsage) > 0:
		return errors.New("the certificate's extended key usage is not client authentication alone")
	}
	return certificate.CheckValidity(now)
}

// CheckValidity returns an error for a certificate that is not valid at a time (RFC 5280,
// section 4.1.2.5): before its notBefore, from its notAfter on, or, where notAfter comes
// first, ever.
func (c *Certificate) CheckValidity(now time.Time) error {
	leaf := c.Leaf
	switch {
	case leaf.NotAfter.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate is never valid: it expires %s, before it begins %s", Stamp(leaf.NotAfter), Stamp(leaf.NotBefore))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s, and this machine's clock says %s", Stamp(leaf.NotBefore), Stamp(now))
	case !now.Before(leaf.NotAfter):
		return fmt.Errorf("the certificate expired %s, and this machine's clock says %s", Stamp(leaf.NotAfter), Stamp(now))
	}
	return nil
}

// CheckNotForged reports whether a certificate that names one of the given
// authorities (PEM), or an intermediate that came with it, as its issuer was really
// signed by it; and the same of the intermediates. An intermediate of the name of a given
// authority counts only if that has signed it. An issuer that is not among them
// proves nothing: a cluster's clients may have a certificate authority of their own,
// and only logging in tells.
func CheckNotForged(certificate *Certificate, authorities []byte) error {
	given := certificatesIn(authorities)
	known := slices.Clone(given)
	for _, intermediate := range certificate.intermediates {
		isNamesake := slices.ContainsFunc(given, func(authority *x509.Certificate) bool {
			return bytes.Equal(authority.RawSubject, intermediate.RawSubject)
		})
		if !isNamesake || isSignedByAny(intermediate, given) {
			known = append(known, intermediate)
		}
	}
	for _, signed := range append([]*x509.Certificate{certificate.Leaf}, certificate.intermediates...) {
		if err := checkSignedByNamesake(signed, known); err != nil {
			return err
		}
	}
	return nil
}

// certificatesIn lists the certificates among the blocks of a PEM file that can be parsed.
func certificatesIn(encoded []byte) (certificates []*x509.Certificate) {
	for {
		var block *pem.Block
		if block, encoded = pem.Decode(encoded); block == nil {
			return certificates
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			certificates = append(certificates, certificate)
		}
	}
}

func isSignedByAny(certificate *x509.Certificate, authorities []*x509.Certificate) bool {
	return slices.ContainsFunc(authorities, func(authority *x509.Certificate) bool {
		return bytes.Equal(authority.RawSubject, certificate.RawIssuer) && certificate.CheckSignatureFrom(authority) == nil
	})
}

// checkSignedByNamesake refuses a certificate that none of the authorities with its
// issuer's name has signed, where there is one.
func checkSignedByNamesake(certificate *x509.Certificate, authorities []*x509.Certificate) error {
	for _, authority := range authorities {
		if bytes.Equal(authority.RawSubject, certificate.RawIssuer) && !isSignedByAny(certificate, authorities) {
			return fmt.Errorf("the certificate names the cluster's CA %q as its issuer and is not signed by it", authority.Subject)
		}
	}
	return nil
}

// Stamp writes a time as people and JSON read it: RFC 3339, in UTC.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
