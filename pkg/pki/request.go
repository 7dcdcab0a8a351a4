package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // See IsOwnKeyIdentifier.
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// MaximumRequestBytes is the most that a request may have in PEM. A request
// with a 4096-bit key and a hundred groups has less than 8 KB; parsing is
// refused above this before anything is decoded (cert-manager's
// CVE-2024-12401 was PEM of pathological size).
const MaximumRequestBytes = 64 << 10

const requestBlock = "CERTIFICATE REQUEST"

// ErrOversized is the error of data that is too long to be looked into.
var ErrOversized = errors.New("too long to be read")

// ErrBrokenSignatureAlgorithm is the error of a signature that proves nothing,
// because it is of an algorithm that can be forged (MD5).
var ErrBrokenSignatureAlgorithm = errors.New("the signature's algorithm proves nothing")

// Request is a PKCS#10 certification request (RFC 2986) that was parsed whole.
type Request struct {
	// DER is the request's exact encoding.
	DER []byte
	// Subject is who asks, attribute by attribute.
	Subject Subject
	// PublicKey is the key to be certified.
	PublicKey crypto.PublicKey
	// SignatureAlgorithm is how the request proves possession of the key.
	SignatureAlgorithm x509.SignatureAlgorithm
	// Extensions are the certificate extensions that the request asks for: all
	// of them, in whichever attribute and value of it they stand.
	Extensions []pkix.Extension
	// UnknownAttributes are the types, in dotted form, of the request's
	// attributes (RFC 2985, section 5.4) that this package has no name for.
	UnknownAttributes []string
	// OutsidePEM says that the bytes it was read from hold something around
	// its PEM block: headers, text, or a second block. The API server ignores
	// such; a person who looks at the text may be led to believe it.
	OutsidePEM bool

	parsed *x509.CertificateRequest
	// isVerified says that the signature was verified already.
	isVerified bool
}

// NewRequest makes a request for a user with their key: CN is their name, one O
// for each group, no attributes and no extensions.
func NewRequest(key crypto.Signer, user identity.User) (*Request, error) {
	subject, err := encodeSubject(user)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", user.Name, err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: subject}, key)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", user.Name, err)
	}
	request, err := decodeRequest(der)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", user.Name, err)
	}
	// crypto/x509 verifies what it has signed.
	request.isVerified = true
	return request, nil
}

// ParseRequest decodes a request (see DecodeRequest) and checks that its
// signature is its own key's.
func ParseRequest(data []byte) (*Request, error) {
	request, err := DecodeRequest(data)
	if err != nil {
		return nil, err
	}
	if err := request.Verify(); err != nil {
		return nil, err
	}
	return request, nil
}

// Verify is CheckSignature, which is computed once if the signature is valid.
func (r *Request) Verify() error {
	err := r.CheckSignature()
	r.isVerified = err == nil
	return err
}

// Alone is the request without what was around it where it was read (see OutsidePEM).
func (r *Request) Alone() *Request {
	alone := *r
	alone.OutsidePEM = false
	return &alone
}

// DecodeRequest reads the first PEM block of type CERTIFICATE REQUEST, as the
// API server does (Kubernetes pkg/apis/certificates ParseCSR), and notes
// whatever else there is in OutsidePEM. It fails on data that is too long
// (ErrOversized), on another block type, and on DER that is malformed or holds
// anything that this package cannot account for. It does not look at the
// signature, so what it says may be anybody's words.
func DecodeRequest(data []byte) (*Request, error) {
	if len(data) > MaximumRequestBytes {
		return nil, fmt.Errorf("the request has %d bytes; at most %d are read: %w", len(data), MaximumRequestBytes, ErrOversized)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("PEM block not found")
	}
	if block.Type != requestBlock {
		return nil, fmt.Errorf("there is a PEM block %q where %q is expected", block.Type, requestBlock)
	}
	request, err := decodeRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	request.OutsidePEM = !bytes.Equal(withoutSpace(data), withoutSpace(request.PEM()))
	return request, nil
}

func decodeRequest(der []byte) (*Request, error) {
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil {
		if err := formErr(der, aRequest); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("invalid certificate signing request: %w", err)
	}
	request := &Request{
		DER:                der,
		PublicKey:          parsed.PublicKey,
		SignatureAlgorithm: parsed.SignatureAlgorithm,
		parsed:             parsed,
	}
	if request.Subject, err = parseSubject(parsed.RawSubject); err != nil {
		return nil, err
	}
	if err := request.walk(); err != nil {
		return nil, fmt.Errorf("invalid certificate signing request: %w", err)
	}
	return request, nil
}

var oidSubjectKeyIdentifier = asn1.ObjectIdentifier{2, 5, 29, 14}

// IsOwnKeyIdentifier reports whether an extension is the subject key identifier
// (RFC 5280, section 4.2.1.2, method 1) of the request's own key, which keytool asks for
// in every request: it says nothing that the key does not.
func (r *Request) IsOwnKeyIdentifier(extension pkix.Extension) bool {
	if !extension.Id.Equal(oidSubjectKeyIdentifier) || extension.Critical {
		return false
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	var identifier []byte
	if _, err := asn1.Unmarshal(r.parsed.RawSubjectPublicKeyInfo, &info); err != nil {
		return false
	}
	rest, err := asn1.Unmarshal(extension.Value, &identifier)
	sum := sha1.Sum(info.Key.RightAlign()) //nolint:gosec // The method's own hash; nothing relies on it.
	return err == nil && len(rest) == 0 && bytes.Equal(identifier, sum[:])
}

// CheckSignature reports whether the request was signed with the key that it asks
// to have certified. A signature of an algorithm that proves nothing is not
// computed: ErrBrokenSignatureAlgorithm.
func (r *Request) CheckSignature() error {
	if r.isVerified {
		return nil
	}
	if key, isRSA := r.PublicKey.(*rsa.PublicKey); isRSA && key.N.BitLen() > 2*largestRSA {
		return fmt.Errorf("a signature by an RSA key of %d bits is not checked", key.N.BitLen())
	}
	err := r.parsed.CheckSignature()
	var insecure x509.InsecureAlgorithmError
	switch {
	case errors.As(err, &insecure):
		return fmt.Errorf("a signature by %s is not checked: %w", r.SignatureAlgorithm, ErrBrokenSignatureAlgorithm)
	case err != nil:
		return fmt.Errorf("the request's signature does not verify: %w", err)
	}
	return nil
}

// withoutSpace drops white space, in which encoders differ (line length, CRLF).
func withoutSpace(data []byte) []byte {
	return bytes.Join(bytes.Fields(data), nil)
}

// User is who the holder of the requested certificate would be.
func (r *Request) User() identity.User { return r.Subject.User() }

// IsExactly reports whether the request is for this user, in whatever order of
// groups, and asks for nothing else.
func (r *Request) IsExactly(user identity.User) bool {
	return r.Subject.Count(CommonName) == 1 && len(r.Subject) == 1+r.Subject.Count(Organization) &&
		r.User().Equal(user) && len(r.Extensions) == 0 && len(r.UnknownAttributes) == 0
}
