package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

var signingTime = time.Date(2026, time.November, 1, 12, 0, 0, 0, time.UTC)

// authorityTemplate is an ordinary authority of ten years.
func authorityTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "site-ca"},
		NotBefore: signingTime.AddDate(-1, 0, 0), NotAfter: signingTime.AddDate(9, 0, 0),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// selfSigned makes an authority's two files.
func selfSigned(t *testing.T, template *x509.Certificate, key crypto.Signer) (certificatePEM, keyPEM []byte) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if keyPEM, err = EncodeKey(key); err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}), keyPEM
}

func keyOf(t *testing.T, algorithm KeyAlgorithm) crypto.Signer {
	t.Helper()
	key, err := NewKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func requestOf(t *testing.T, template *x509.CertificateRequest) *Request {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, template, keyOf(t, DefaultKeyAlgorithm))
	if err != nil {
		t.Fatal(err)
	}
	request, err := ParseRequest(pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return request
}

var janeInDev = &x509.CertificateRequest{Subject: pkix.Name{CommonName: "jane", Organization: []string{"dev", "ops"}}}

func TestAuthority_EveryKindOfAuthoritySigns(t *testing.T) {
	for _, algorithm := range []KeyAlgorithm{"rsa-2048", "ecdsa-p256", "ecdsa-p384", "ed25519"} {
		key := keyOf(t, algorithm)
		certificatePEM, pkcs8 := selfSigned(t, authorityTemplate(), key)
		encodings := map[string][]byte{"PKCS#8": pkcs8}
		switch key := key.(type) {
		case *rsa.PrivateKey:
			encodings["PKCS#1"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
		case *ecdsa.PrivateKey:
			der, err := x509.MarshalECPrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			encodings["SEC1"] = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
		}
		for name, encoded := range encodings {
			authority, err := NewAuthority(certificatePEM, encoded, nil, signingTime)
			if err != nil {
				t.Errorf("%s in %s: %v", algorithm, name, err)
				continue
			}
			certificate, err := authority.Sign(requestOf(t, janeInDev), 24*time.Hour, signingTime)
			if err != nil {
				t.Errorf("%s in %s: %v", algorithm, name, err)
				continue
			}
			if user := certificate.User(); !user.Equal(identity.User{Name: "jane", Groups: []string{"dev", "ops"}}) {
				t.Errorf("%s in %s signed for %s", algorithm, name, user)
			}
		}
	}
}

func TestAuthority_NothingButNameGroupsAndKeyIsSigned(t *testing.T) {
	certificatePEM, keyPEM := selfSigned(t, authorityTemplate(), keyOf(t, DefaultKeyAlgorithm))
	authority, err := NewAuthority(certificatePEM, keyPEM, nil, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	request := requestOf(t, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "jane", Organization: []string{"dev"}, OrganizationalUnit: []string{"ou"}, Country: []string{"DE"}},
		DNSNames: []string{"api.example.com"},
		ExtraExtensions: []pkix.Extension{
			{Id: []int{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 0x03, 0x01, 0x01, 0xff}},
			{Id: []int{2, 5, 29, 37}, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01}},
		},
	})
	certificate, err := authority.Sign(request, 24*time.Hour, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	leaf := certificate.Leaf
	if diff := cmp.Diff(Subject{{Type: "2.5.4.3", Value: "jane", IsText: true}, {Type: "2.5.4.10", Value: "dev", IsText: true}}, certificate.Subject); diff != "" {
		t.Errorf("the subject (-want +got):\n%s", diff)
	}
	var extensions []string
	for _, extension := range leaf.Extensions {
		extensions = append(extensions, extension.Id.String())
	}
	// Key usage, extended key usage, basic constraints, authority key identifier.
	if diff := cmp.Diff([]string{"2.5.29.15", "2.5.29.37", "2.5.29.19", "2.5.29.35"}, extensions); diff != "" {
		t.Errorf("the extensions (-want +got):\n%s", diff)
	}
	if leaf.IsCA || len(leaf.DNSNames) > 0 || leaf.KeyUsage != x509.KeyUsageDigitalSignature || len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("it is good for more than a client: %+v", leaf)
	}
	again, err := authority.Sign(request, 24*time.Hour, signingTime)
	if err != nil || again.Leaf.SerialNumber.Cmp(leaf.SerialNumber) == 0 || leaf.SerialNumber.Sign() <= 0 || leaf.SerialNumber.BitLen() > 128 || leaf.SerialNumber.BitLen() <= 64 {
		t.Errorf("the serial numbers are %x and %x, %v", leaf.SerialNumber, again.Leaf.SerialNumber, err)
	}
	want := Issuance{
		Time: "2026-11-01T12:00:00Z", Serial: fmt.Sprintf("%x", leaf.SerialNumber), SHA256: fmt.Sprintf("%x", sha256.Sum256(leaf.Raw)),
		User: "jane", Groups: []string{"dev"}, Fingerprint: request.Fingerprint(),
		NotBefore: "2026-11-01T11:55:00Z", NotAfter: "2026-11-02T11:55:00Z",
	}
	if diff := cmp.Diff(want, IssuanceOf(certificate, signingTime)); diff != "" {
		t.Errorf("the log would say (-want +got):\n%s", diff)
	}
}

func TestAuthority_LifetimesAreCountedAsKubernetesDoes(t *testing.T) {
	const backdated = 5 * time.Minute
	for _, test := range []struct {
		about      string
		lifetime   time.Duration
		end        time.Duration
		begin, got time.Duration
		fails      bool
	}{
		{about: "the least", lifetime: 10 * time.Minute, end: 100 * time.Hour, begin: -backdated, got: 10 * time.Minute},
		{about: "short", lifetime: time.Hour, end: 100 * time.Hour, begin: -backdated, got: time.Hour},
		{about: "just short", lifetime: 8*time.Hour - time.Second, end: 100 * time.Hour, begin: -backdated, got: 8*time.Hour - time.Second},
		{about: "long", lifetime: 8 * time.Hour, end: 100 * time.Hour, begin: -backdated, got: 8*time.Hour - backdated},
		{about: "beyond the authority's end", lifetime: 200 * time.Hour, end: 100 * time.Hour, begin: -backdated, got: 100 * time.Hour},
		{about: "near the authority's end", lifetime: time.Hour, end: 10 * time.Minute, begin: -backdated, got: 10 * time.Minute},
		{about: "too near the authority's end", lifetime: time.Hour, end: 10*time.Minute - time.Second, fails: true},
	} {
		t.Run(test.about, func(t *testing.T) {
			template := authorityTemplate()
			template.NotAfter = signingTime.Add(test.end)
			certificatePEM, keyPEM := selfSigned(t, template, keyOf(t, DefaultKeyAlgorithm))
			authority, err := NewAuthority(certificatePEM, keyPEM, nil, signingTime)
			if err != nil {
				t.Fatal(err)
			}
			certificate, err := authority.Sign(requestOf(t, janeInDev), test.lifetime, signingTime)
			if (err != nil) != test.fails {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			if leaf := certificate.Leaf; !leaf.NotBefore.Equal(signingTime.Add(test.begin)) || !leaf.NotAfter.Equal(signingTime.Add(test.got)) {
				t.Errorf("it is good from %s to %s", leaf.NotBefore, leaf.NotAfter)
			}
		})
	}
	young := authorityTemplate()
	young.NotBefore = signingTime.Add(-time.Minute)
	certificatePEM, keyPEM := selfSigned(t, young, keyOf(t, DefaultKeyAlgorithm))
	authority, err := NewAuthority(certificatePEM, keyPEM, nil, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Sign(requestOf(t, janeInDev), time.Hour, signingTime)
	if err != nil || certificate.Leaf.NotBefore.Before(young.NotBefore) {
		t.Errorf("a certificate begins before its authority: %v", err)
	}
}

func TestAuthority_WhatIsNoAuthority(t *testing.T) {
	key := keyOf(t, DefaultKeyAlgorithm)
	for _, test := range []struct {
		about  string
		change func(*x509.Certificate)
	}{
		{"no authority", func(c *x509.Certificate) { c.IsCA = false }},
		{"no right to sign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }},
		{"ended", func(c *x509.Certificate) { c.NotAfter = signingTime }},
		{"not begun", func(c *x509.Certificate) { c.NotBefore = signingTime.Add(time.Second) }},
	} {
		template := authorityTemplate()
		test.change(template)
		certificatePEM, keyPEM := selfSigned(t, template, key)
		if _, err := NewAuthority(certificatePEM, keyPEM, nil, signingTime); !errors.Is(err, outcome.ErrUsage) {
			t.Errorf("%s: %v", test.about, err)
		}
	}
	certificatePEM, keyPEM := selfSigned(t, authorityTemplate(), key)
	_, otherKey := selfSigned(t, authorityTemplate(), keyOf(t, DefaultKeyAlgorithm))
	for about, files := range map[string][2][]byte{
		"another's key":      {certificatePEM, otherKey},
		"no key":             {certificatePEM, certificatePEM},
		"no certificate":     {keyPEM, keyPEM},
		"nothing":            {nil, nil},
		"half a certificate": {certificatePEM[:len(certificatePEM)/2], keyPEM},
	} {
		if _, err := NewAuthority(files[0], files[1], nil, signingTime); !errors.Is(err, outcome.ErrUsage) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestAuthority_WhatIsNoAuthoritysKeyIsSaidByKind(t *testing.T) {
	certificatePEM, _ := selfSigned(t, authorityTemplate(), keyOf(t, DefaultKeyAlgorithm))
	weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // To be refused.
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		about string
		block pem.Block
		want  string
	}{
		{"encrypted", pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}, "encrypted"},
		{"malformed", pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}, "damaged"},
		{"weak", pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(weak)}, "RSA with 1024 bits"},
	} {
		_, err := NewAuthority(certificatePEM, pem.EncodeToMemory(&test.block), nil, signingTime)
		if !errors.Is(err, outcome.ErrUsage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", test.about, err, test.want)
		}
	}
}

func TestAuthority_WhatIsNotSigned(t *testing.T) {
	certificatePEM, keyPEM := selfSigned(t, authorityTemplate(), keyOf(t, DefaultKeyAlgorithm))
	authority, err := NewAuthority(certificatePEM, keyPEM, nil, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	request := requestOf(t, janeInDev)
	// The authority is good for years: the lifetime is at fault.
	if _, err := authority.Sign(request, 10*time.Minute-time.Second, signingTime); !errors.Is(err, outcome.ErrUsage) || strings.Contains(err.Error(), "authority") {
		t.Errorf("less than ten minutes: %v", err)
	}
	forged := append([]byte{}, request.DER...)
	forged[len(forged)-1] ^= 1
	unproven, err := DecodeRequest(pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: forged}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authority.Sign(unproven, time.Hour, signingTime); err == nil {
		t.Error("a request was signed whose signature does not verify")
	}
}

func TestAuthority_NobodyIsSignedIntoMasters(t *testing.T) {
	certificatePEM, keyPEM := selfSigned(t, authorityTemplate(), keyOf(t, DefaultKeyAlgorithm))
	authority, err := NewAuthority(certificatePEM, keyPEM, nil, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []pkix.Name{
		{CommonName: "jane", Organization: []string{"system:masters"}},
		{CommonName: "jane", Organization: []string{"dev", "System:Masters"}},
		{CommonName: "jane", Organization: []string{" system:masters"}},
		{Organization: []string{"dev"}},
	} {
		if _, err := authority.Sign(requestOf(t, &x509.CertificateRequest{Subject: subject}), time.Hour, signingTime); !errors.Is(err, outcome.ErrRefused) {
			t.Errorf("%s: %v", subject, err)
		}
	}
}
