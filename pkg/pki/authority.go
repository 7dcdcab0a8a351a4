package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Authority is a certificate authority that signs without Kubernetes' API.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// The way Kubernetes' own signer counts a lifetime
// (pkg/controller/certificates/signer and authority/policies.go).
const (
	// backdate is how long before now a certificate begins, for clocks that are
	// behind.
	backdate = 5 * time.Minute
	// shortLifetime is up to where the end is not moved by the backdating.
	shortLifetime = 8 * time.Hour
	// leastLifetime is the least to ask for, and what has to be left until the
	// authority's own end.
	leastLifetime = 10 * time.Minute
)

// serialBytes is the length of a random serial number: 128 bits.
const serialBytes = 16

// NewAuthority reads an authority's certificate and its private key, both in PEM;
// the key as in ParseKey. It refuses a certificate that may not sign, has ended or
// not begun, and a key that is not the certificate's, as wrong usage.
func NewAuthority(certificatePEM, keyPEM []byte, now time.Time) (*Authority, error) {
	parsed, err := ParseCertificate(certificatePEM)
	if err != nil {
		return nil, outcome.Errorf(outcome.ErrUsage, "the authority's certificate can't be used: %w", err)
	}
	certificate := parsed.Leaf
	if err := checkAuthority(certificate, now); err != nil {
		return nil, outcome.Errorf(outcome.ErrUsage, "the authority's certificate can't be used: %w", err)
	}
	key, err := ParseKey(keyPEM)
	if err != nil {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the authority's private key can't be used: %w", err),
			"give it in PEM: PKCS#8, PKCS#1 or SEC1, not encrypted")
	}
	if !SamePublicKey(key.Public(), certificate.PublicKey) {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the private key does not belong to the authority's certificate: it is %s, and the certificate's %s",
				Fingerprint(key.Public()), Fingerprint(certificate.PublicKey)),
			"name the two files that belong together")
	}
	return &Authority{certificate: certificate, key: key}, nil
}

func checkAuthority(certificate *x509.Certificate, now time.Time) error {
	switch {
	case !certificate.BasicConstraintsValid || !certificate.IsCA:
		return fmt.Errorf("it is no certificate authority's: %s", identity.Quote(certificate.Subject.String()))
	case certificate.KeyUsage != 0 && certificate.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("its key usage does not permit to sign certificates")
	case now.Before(certificate.NotBefore):
		return fmt.Errorf("it is not valid before %s, and this machine's clock says %s", stamp(certificate.NotBefore), stamp(now))
	case !now.Before(certificate.NotAfter):
		return fmt.Errorf("it ended %s", stamp(certificate.NotAfter))
	}
	return nil
}

// PEM is the authority's certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: a.certificate.Raw})
}

// Sign makes a client certificate for the user of a request, whose signature has
// to verify. Nothing of the request but user, groups and key gets into it: it is
// filled from an allow-list, as Kubernetes' own signer does, with client
// authentication as its only extended usage, no authority, a random serial number
// of 128 bits, and no end beyond the authority's own.
//
// Whoever asks for no name, or for system:masters, which the API server would not
// take either, is refused; all other findings are for a review to weigh.
func (a *Authority) Sign(request *Request, lifetime time.Duration, now time.Time) (*Certificate, error) {
	if err := request.CheckSignature(); err != nil {
		return nil, err
	}
	user := request.User()
	if user.Name == "" {
		return nil, outcome.Errorf(outcome.ErrRefused, "%s: there is no user name to certify", identity.EmptyCommonName)
	}
	for _, group := range user.Groups {
		if identity.IsMasters(group) {
			return nil, outcome.Errorf(outcome.ErrRefused, "%s: no certificate is signed for the group %s", identity.SystemGroup, identity.Quote(group))
		}
	}
	template, err := a.template(user, lifetime, now)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, request.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("the certificate can't be signed: %w", err)
	}
	certificate, err := ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}))
	if err == nil {
		err = certificate.Leaf.CheckSignatureFrom(a.certificate)
	}
	if err == nil {
		err = Match(certificate, request.PublicKey, user, now)
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate that was signed is not what was asked for: %w", err)
	}
	return certificate, nil
}

func (a *Authority) template(user identity.User, lifetime time.Duration, now time.Time) (*x509.Certificate, error) {
	if lifetime < leastLifetime {
		return nil, outcome.Errorf(outcome.ErrUsage, "the lifetime %s is shorter than ten minutes", lifetime)
	}
	subject, err := encodeSubject(user)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", user.Name, err)
	}
	serial := make([]byte, serialBytes)
	if _, err := rand.Read(serial); err != nil {
		return nil, err
	}
	begin, end := now.Add(-backdate), now.Add(lifetime)
	if lifetime >= shortLifetime {
		end = begin.Add(lifetime)
	}
	if begin.Before(a.certificate.NotBefore) {
		begin = a.certificate.NotBefore
	}
	if end.After(a.certificate.NotAfter) {
		end = a.certificate.NotAfter
	}
	if end.Sub(now) < leastLifetime {
		return nil, fmt.Errorf("the authority's certificate ends %s, which leaves less than ten minutes", stamp(a.certificate.NotAfter))
	}
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial),
		RawSubject:            subject,
		NotBefore:             begin,
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}, nil
}

// Issuance is what the log of an authority says about one certificate.
type Issuance struct {
	// Time is when it was signed.
	Time string `json:"time"`
	// Serial is the serial number in hexadecimal digits.
	Serial string `json:"serial"`
	// SHA256 is of the certificate's DER, in hexadecimal digits, as in the
	// credential id of Kubernetes' audit logs.
	SHA256 string `json:"sha256"`
	// User and Groups are the certificate's subject.
	User   string   `json:"user"`
	Groups []string `json:"groups"`
	// Fingerprint is the public key's.
	Fingerprint string `json:"fingerprint"`
	// NotBefore and NotAfter are when the certificate begins and ends.
	NotBefore string `json:"notBefore"`
	NotAfter  string `json:"notAfter"`
}

// IssuanceOf describes a certificate that was signed at a time. All times are
// RFC 3339 in UTC.
func IssuanceOf(certificate *Certificate, at time.Time) Issuance {
	leaf := certificate.Leaf
	user := certificate.User()
	return Issuance{
		Time:        stamp(at),
		Serial:      leaf.SerialNumber.Text(16),
		SHA256:      hex.EncodeToString(certificate.SHA256()),
		User:        user.Name,
		Groups:      append([]string{}, user.Groups...),
		Fingerprint: Fingerprint(leaf.PublicKey),
		NotBefore:   stamp(leaf.NotBefore),
		NotAfter:    stamp(leaf.NotAfter),
	}
}
