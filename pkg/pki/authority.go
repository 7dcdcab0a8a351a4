package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Authority is a certificate authority that signs without Kubernetes' API.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	// above are the authorities that certify this one, the nearest first, as far as
	// they are known; the last may be a root.
	above []*x509.Certificate
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

// NewAuthority reads an authority's certificate in PEM and its private key as in
// ParseKeyWithPassphrase. Where there are several certificates, it is the one that the
// key belongs to, and those that certify it are its chain. It refuses a certificate that
// may not sign, has ended or not begun, and a key that is not the certificate's, as
// wrong usage.
func NewAuthority(certificatePEM, keyPEM []byte, passphrase Passphrase, now time.Time) (*Authority, error) {
	parsed, err := ParseCertificate(certificatePEM)
	if err != nil {
		return nil, outcome.Errorf(outcome.ErrUsage, "the CA certificate cannot be used: %w", err)
	}
	certificates := append([]*x509.Certificate{parsed.Leaf}, parsed.intermediates...)
	key, err := parseAuthorityKey(keyPEM, passphrase)
	if err != nil {
		return nil, err
	}
	own := slices.IndexFunc(certificates, func(certificate *x509.Certificate) bool {
		return SamePublicKey(key.Public(), certificate.PublicKey)
	})
	if own < 0 {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the private key does not belong to the CA certificate: it is %s, and the certificate's %s",
				Fingerprint(key.Public()), Fingerprint(parsed.Leaf.PublicKey)),
			"name the two files that belong together")
	}
	if err := checkAuthority(certificates[own], now); err != nil {
		return nil, outcome.Errorf(outcome.ErrUsage, "the CA certificate cannot be used: %w", err)
	}
	return &Authority{certificate: certificates[own], key: key, above: chainAbove(certificates[own], certificates)}, nil
}

func parseAuthorityKey(encoded []byte, passphrase Passphrase) (crypto.Signer, error) {
	var passphraseErr error
	if get := passphrase; get != nil {
		passphrase = func() (secret []byte, _ error) {
			secret, passphraseErr = get()
			return secret, passphraseErr
		}
	}
	key, err := ParseKeyWithPassphrase(encoded, passphrase)
	switch {
	case passphraseErr != nil:
		return nil, passphraseErr
	case errors.Is(err, ErrWrongPassphrase):
		return nil, outcome.Errorf(outcome.ErrUsage, "the CA's private key cannot be used: %w", err)
	case err != nil:
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the CA's private key cannot be used: %w", err),
			"give it in PEM: PKCS#8, PKCS#1, SEC1 or OpenSSH's form")
	}
	return key, nil
}

// chainAbove finds the certificates that certify one, the nearest first, up to a root or
// as far as the given ones lead.
func chainAbove(certificate *x509.Certificate, among []*x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for !isSelfIssued(certificate) && len(chain) < len(among) {
		next := slices.IndexFunc(among, func(candidate *x509.Certificate) bool {
			return bytes.Equal(candidate.RawSubject, certificate.RawIssuer) && certificate.CheckSignatureFrom(candidate) == nil
		})
		if next < 0 {
			break
		}
		certificate = among[next]
		chain = append(chain, certificate)
	}
	return chain
}

// isSelfIssued reports whether a certificate is a root: nothing else certifies it, and
// who trusts it has it.
func isSelfIssued(certificate *x509.Certificate) bool {
	return bytes.Equal(certificate.RawSubject, certificate.RawIssuer)
}

func checkAuthority(certificate *x509.Certificate, now time.Time) error {
	switch {
	case !certificate.BasicConstraintsValid || !certificate.IsCA:
		return fmt.Errorf("it is not a CA certificate: %s", identity.Quote(certificate.Subject.String()))
	case certificate.KeyUsage != 0 && certificate.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("its key usage does not permit to sign certificates")
	case now.Before(certificate.NotBefore):
		return fmt.Errorf("it is not valid before %s, and this machine's clock says %s", Stamp(certificate.NotBefore), Stamp(now))
	case !now.Before(certificate.NotAfter):
		return fmt.Errorf("it expired %s", Stamp(certificate.NotAfter))
	}
	return nil
}

// Name is the authority's subject.
func (a *Authority) Name() string { return a.certificate.Subject.String() }

// PEM is the authority's certificate, and those that certify it, as far as they are
// known: a client that trusts them trusts what any of them has signed.
func (a *Authority) PEM() []byte {
	return encodeCertificates(append([]*x509.Certificate{a.certificate}, a.above...))
}

// intermediates are the certificates that an API server needs besides a client's own to
// get from it to the root that it trusts (RFC 8446, section 4.4.2).
func (a *Authority) intermediates() []*x509.Certificate {
	return slices.DeleteFunc(append([]*x509.Certificate{a.certificate}, a.above...), isSelfIssued)
}

func encodeCertificates(certificates []*x509.Certificate) []byte {
	var encoded []byte
	for _, certificate := range certificates {
		encoded = append(encoded, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw})...)
	}
	return encoded
}

// checkChain proves that a client that trusts the last authority that is known accepts a
// certificate for client authentication, as kube-apiserver does (k8s.io/apiserver
// pkg/authentication/request/x509).
func (a *Authority) checkChain(certificate *Certificate, now time.Time) error {
	known := append([]*x509.Certificate{a.certificate}, a.above...)
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(known[len(known)-1])
	for _, intermediate := range certificate.intermediates {
		intermediates.AddCert(intermediate)
	}
	_, err := certificate.Leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

// Sign makes a client certificate for the user of a request, whose signature has
// to verify. Nothing of the request but user, groups and key gets into it: it is
// filled from an allow-list, as Kubernetes' own signer does, with client
// authentication as its only extended usage, no authority, a random serial number
// of 128 bits, and no end beyond the authority's own. Intermediate authorities come with
// it, for an API server that trusts the root only.
//
// A request for no name, or for system:masters, which the API server would not
// take either, is refused; all other findings are for a review to weigh.
func (a *Authority) Sign(request *Request, lifetime time.Duration, now time.Time) (*Certificate, error) {
	if err := request.CheckSignature(); err != nil {
		return nil, err
	}
	user := request.User()
	if user.Name == "" {
		return nil, outcome.Errorf(outcome.ErrRefused, "%s: the user name is empty", identity.EmptyCommonName)
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
		return nil, fmt.Errorf("the certificate cannot be signed: %w", err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("the certificate that was signed is damaged: %w", err)
	}
	certificate, err := ParseCertificate(encodeCertificates(append([]*x509.Certificate{signed}, a.intermediates()...)))
	if err == nil {
		err = certificate.Leaf.CheckSignatureFrom(a.certificate)
	}
	if err == nil {
		err = a.checkChain(certificate, now)
	}
	if err == nil {
		err = Match(certificate, request.PublicKey, user, now)
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate that was signed is not what was asked for: %w", err)
	}
	return certificate, nil
}

// notAfter is when the authority's chain, as far as it is known, is valid no longer.
func (a *Authority) notAfter() time.Time {
	last := a.certificate.NotAfter
	for _, authority := range a.above {
		if authority.NotAfter.Before(last) {
			last = authority.NotAfter
		}
	}
	return last
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
	last := a.notAfter()
	if end.After(last) {
		end = last
	}
	if end.Sub(now) < leastLifetime {
		return nil, fmt.Errorf("the CA certificate expires %s, in less than ten minutes", Stamp(last))
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
		Time:        Stamp(at),
		Serial:      leaf.SerialNumber.Text(16),
		SHA256:      hex.EncodeToString(certificate.SHA256()),
		User:        user.Name,
		Groups:      append([]string{}, user.Groups...),
		Fingerprint: Fingerprint(leaf.PublicKey),
		NotBefore:   Stamp(leaf.NotBefore),
		NotAfter:    Stamp(leaf.NotAfter),
	}
}
