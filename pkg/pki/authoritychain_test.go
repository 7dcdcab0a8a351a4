package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// siteChain is a root, an intermediate authority, and the one below that signs.
type siteChain struct {
	certificates []*x509.Certificate
	key          crypto.Signer
}

// newSiteChain makes authorities of the given names, each signed by the one before. change
// changes the template of the last.
func newSiteChain(t *testing.T, change func(*x509.Certificate), names ...string) siteChain {
	t.Helper()
	var chain siteChain
	for i, name := range names {
		template := authorityTemplate()
		template.SerialNumber, template.Subject = big.NewInt(int64(i+1)), pkix.Name{CommonName: name}
		if change != nil && i == len(names)-1 {
			change(template)
		}
		key := newTestKey(t)
		parent, parentKey := template, key
		if i > 0 {
			parent, parentKey = chain.certificates[i-1], chain.key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain.certificates, chain.key = append(chain.certificates, certificate), key
	}
	return chain
}

// pem are the certificates at the given places, the root being at 0.
func (c siteChain) pem(places ...int) []byte {
	var encoded []byte
	for _, at := range places {
		encoded = append(encoded, encodeCertificates(c.certificates[at:at+1])...)
	}
	return encoded
}

// acceptsWithRoot decides as an API server that has only the root in --client-ca-file.
func (c siteChain) acceptsWithRoot(certificate *Certificate) error {
	_, err := ParseClientAuthorities(c.pem(0)).AuthorityOf(certificate, signingTime)
	return err
}

func TestAuthorityChain_WhatAnIntermediateSignsIsAcceptedWhereOnlyTheRootIsTrusted(t *testing.T) {
	chain := newSiteChain(t, nil, "root", "middle", "issuing")
	keyPEM, err := EncodeKey(chain.key)
	if err != nil {
		t.Fatal(err)
	}
	stranger := encodeCertificates(newSiteChain(t, nil, "stranger").certificates)
	for _, test := range []struct {
		about string
		file  []byte
		want  []byte
		// accepted reports whether the root alone is enough for an API server.
		accepted bool
	}{
		{"the chain in order", chain.pem(2, 1, 0), chain.pem(2, 1), true},
		{"the root first", chain.pem(0, 1, 2), chain.pem(2, 1), true},
		{"without the root", chain.pem(2, 1), chain.pem(2, 1), true},
		{"among others", append(stranger, chain.pem(1, 0, 2)...), chain.pem(2, 1), true},
		{"the intermediate alone", chain.pem(2), chain.pem(2), false},
	} {
		authority, err := NewAuthority(test.file, keyPEM, nil, signingTime)
		if err != nil {
			t.Errorf("%s: %v", test.about, err)
			continue
		}
		certificate, err := authority.Sign(requestOf(t, janeInDev), 24*time.Hour, signingTime)
		if err != nil {
			t.Errorf("%s: %v", test.about, err)
			continue
		}
		leaf := encodeCertificates([]*x509.Certificate{certificate.Leaf})
		if !bytes.Equal(certificate.PEM, append(leaf, test.want...)) {
			t.Errorf("%s: other certificates come with it: %d bytes", test.about, len(certificate.PEM))
		}
		if err := chain.acceptsWithRoot(certificate); (err == nil) != test.accepted {
			t.Errorf("%s: with the root alone: %v", test.about, err)
		}
		again, err := ParseCertificate(certificate.PEM)
		if err != nil || CheckNotForged(again, chain.pem(0)) != nil || Match(again, certificate.Leaf.PublicKey, certificate.User(), signingTime) != nil {
			t.Errorf("%s: the chain is not taken back: %v, %v", test.about, err, CheckNotForged(again, chain.pem(0)))
		}
	}
}

func TestAuthorityChain_ARootSignsWithoutAnythingBesides(t *testing.T) {
	chain := newSiteChain(t, nil, "root")
	keyPEM, err := EncodeKey(chain.key)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := NewAuthority(chain.pem(0), keyPEM, nil, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Sign(requestOf(t, janeInDev), 24*time.Hour, signingTime)
	if err != nil || !bytes.Equal(certificate.PEM, encodeCertificates([]*x509.Certificate{certificate.Leaf})) {
		t.Errorf("the root itself comes with it, or %v", err)
	}
}

func TestAuthorityChain_AChainThatNoAPIServerAcceptsSignsNothing(t *testing.T) {
	for about, change := range map[string]func(*x509.Certificate){
		"for servers only":    func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"that has not begun":  func(c *x509.Certificate) { c.NotBefore = signingTime.Add(time.Hour) },
		"that is expired":     func(c *x509.Certificate) { c.NotAfter = signingTime.Add(-time.Hour) },
		"that is not a CA":    func(c *x509.Certificate) { c.IsCA = false; c.KeyUsage = x509.KeyUsageDigitalSignature },
		"that may not sign":   func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign },
		"that ends too early": func(c *x509.Certificate) { c.NotAfter = signingTime.Add(time.Minute) },
	} {
		chain := newSiteChain(t, change, "root", "issuing")
		keyPEM, err := EncodeKey(chain.key)
		if err != nil {
			t.Fatal(err)
		}
		authority, err := NewAuthority(chain.pem(1, 0), keyPEM, nil, signingTime)
		if err == nil {
			_, err = authority.Sign(requestOf(t, janeInDev), 24*time.Hour, signingTime)
		}
		if err == nil {
			t.Errorf("an intermediate %s signed", about)
		}
	}
}

func TestAuthorityChain_AnIntermediateIsAsGoodAsWhatCertifiesIt(t *testing.T) {
	chain := newSiteChain(t, nil, "root", "issuing")
	keyPEM, err := EncodeKey(chain.key)
	if err != nil {
		t.Fatal(err)
	}
	root := *chain.certificates[0]
	authority, err := NewAuthority(chain.pem(1, 0), keyPEM, nil, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	root.NotAfter = signingTime.Add(time.Hour)
	authority.above = []*x509.Certificate{&root}
	if last := authority.notAfter(); !last.Equal(root.NotAfter) {
		t.Errorf("it signs until %s, and its root is valid until %s", last, root.NotAfter)
	}
}

func TestAuthorityChain_AnIntermediateThatOnlyNamesTheAuthorityIsForged(t *testing.T) {
	chain, other := newSiteChain(t, nil, "root", "issuing"), newSiteChain(t, nil, "root", "issuing")
	keyPEM, err := EncodeKey(other.key)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := NewAuthority(other.pem(1, 0), keyPEM, nil, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Sign(requestOf(t, janeInDev), 24*time.Hour, signingTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckNotForged(certificate, chain.pem(0)); err == nil {
		t.Error("an intermediate that the root did not sign is accepted")
	}
	swapped, err := ParseCertificate(append(encodeCertificates([]*x509.Certificate{certificate.Leaf}), chain.pem(1)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckNotForged(swapped, chain.pem(0)); err == nil {
		t.Error("a certificate is accepted with an intermediate that did not sign it")
	}
}

func TestAuthorityChain_AnIntermediateOfTheAuthoritysNameDoesNotVouchForItself(t *testing.T) {
	real, forged := newTestAuthority(t, "kubernetes", nil), newTestAuthority(t, "kubernetes", nil)
	certificate, err := ParseCertificate(append(bytes.Clone(forged.sign(t, nil).PEM), forged.pem()...))
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckNotForged(certificate, real.pem()); err == nil {
		t.Error("a certificate is accepted that brings its own authority of the cluster's name")
	}
}

func TestAuthorityChain_TheAuthoritysKeyIsAskedForItsPassphraseOnce(t *testing.T) {
	key := newTestKey(t)
	certificatePEM, _ := selfSigned(t, authorityTemplate(), key)
	encrypted := encryptedForms(t, key, []byte("secret"))["PKCS#8, AES-256, PBKDF2"]
	asked := 0
	answer := func(passphrase string, err error) Passphrase {
		return func() ([]byte, error) { asked++; return []byte(passphrase), err }
	}
	if _, err := NewAuthority(certificatePEM, encrypted, answer("secret", nil), signingTime); err != nil || asked != 1 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	if _, err := NewAuthority(certificatePEM, encrypted, answer("wrong", nil), signingTime); !errors.Is(err, ErrWrongPassphrase) || !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if _, err := NewAuthority(certificatePEM, encrypted, answer("", outcome.ErrInterrupted), signingTime); !errors.Is(err, outcome.ErrInterrupted) || errors.Is(err, outcome.ErrUsage) {
		t.Errorf("Ctrl-C at the question: %v", err)
	}
}
