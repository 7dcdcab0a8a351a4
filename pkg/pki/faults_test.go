package pki

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // A kind of key that is not supported.
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
)

var errBroken = errors.New("by the test")

// brokenSigner is a key, such as that of a card that was taken out, which signs nothing.
type brokenSigner struct{ crypto.Signer }

// Sign implements crypto.Signer.
func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errBroken
}

func TestAuthority_AKeyThatSignsNothingIsAnError(t *testing.T) {
	certificatePEM, keyPEM := selfSigned(t, authorityTemplate(), keyOf(t, DefaultKeyAlgorithm))
	request := requestOf(t, janeInDev)
	for about, change := range map[string]func(*Authority){
		"a key that is broken": func(a *Authority) { a.key = brokenSigner{a.key} },
		"a key of another":     func(a *Authority) { a.key = keyOf(t, DefaultKeyAlgorithm) },
	} {
		authority, err := NewAuthority(certificatePEM, keyPEM, nil, signingTime)
		if err != nil {
			t.Fatal(err)
		}
		change(authority)
		certificate, err := authority.Sign(request, time.Hour, signingTime)
		outcometest.Says(t, about, err, "the certificate cannot be signed")
		if certificate != nil {
			t.Errorf("%s: there is a certificate", about)
		}
		if _, err := authority.template(identity.User{Name: "ja\xffne"}, time.Hour, signingTime); err == nil || !strings.Contains(err.Error(), `user "ja\xffne"`) {
			t.Errorf("a name that is not text: %v", err)
		}
	}
}

func TestNewRequest_WhatCannotBeWrittenOrSignedIsAnError(t *testing.T) {
	key := keyOf(t, DefaultKeyAlgorithm)
	for _, user := range []identity.User{{Name: "ja\xffne"}, {Name: "jane", Groups: []string{"de\xffv"}}} {
		_, err := NewRequest(key, user)
		outcometest.Says(t, user.Name, err, "user ")
	}
	if _, err := NewRequest(brokenSigner{key}, identity.User{Name: "jane"}); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), `user "jane"`) {
		t.Errorf("a key that is broken: %v", err)
	}
	if encoded, err := EncodeKey(brokenSigner{key}); err == nil || encoded != nil {
		t.Errorf("a key that is not here: %q, %v", encoded, err)
	}
}

func TestForm_OtherContentIsNamedWhereThereIsNoPEMBlock(t *testing.T) {
	for text, name := range map[string]string{
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI jane": "an SSH public key",
		"PuTTY-User-Key-File-3: ssh-ed25519":         "PuTTY's own form",
		"\xfe\xed\xfe\xed\x00\x00\x00\x02":           "a Java key store",
	} {
		_, certificateErr := ParseCertificate([]byte(text))
		outcometest.Says(t, name, certificateErr, name, "not a certificate")
		_, requestErr := ReadRequest([]byte(text))
		outcometest.Says(t, name, requestErr, name, "not a certificate signing request")
		_, keyErr := ParseKey([]byte(text))
		outcometest.Says(t, name, keyErr, name, "not a private key")
	}
	_, err := ParseCertificate([]byte("hostile"))
	outcometest.Says(t, "anything", err, "PEM block not found")
}

func TestObjectIdentifier_NothingFollowsIt(t *testing.T) {
	encoded, err := asn1.Marshal(oidExtensionRequest)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := objectIdentifier(asn1.RawValue{FullBytes: encoded}); err != nil || !got.Equal(oidExtensionRequest) {
		t.Errorf("%v, %v", got, err)
	}
	_, err = objectIdentifier(asn1.RawValue{FullBytes: slices.Concat(encoded, encoded)})
	outcometest.Says(t, "two of them", err, "something after an object identifier")
}

// TestFingerprint_AKeyThatIsNotSupportedHasOneInARequest is about keys that Go reads and does not write.
func TestFingerprint_AKeyThatIsNotSupportedHasOneInARequest(t *testing.T) {
	if got := Fingerprint(&dsa.PublicKey{}); got != "" {
		t.Errorf("a key by itself: %q", got)
	}
	one, other := &x509.CertificateRequest{RawSubjectPublicKeyInfo: []byte("one")}, &x509.CertificateRequest{RawSubjectPublicKeyInfo: []byte("other")}
	first, second := (&Request{PublicKey: &dsa.PublicKey{}, parsed: one}).Fingerprint(), (&Request{PublicKey: &dsa.PublicKey{}, parsed: other}).Fingerprint()
	if first == second || !strings.HasPrefix(first, fingerprintPrefix) {
		t.Errorf("in requests: %q and %q", first, second)
	}
	if got, err := ParseFingerprint(first); err != nil || got != first {
		t.Errorf("it is read as %q, %v", got, err)
	}
}

func TestParseKey_WhatSignsNoRequestIsNamed(t *testing.T) {
	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(agreement)
	_, parseErr := ParseKey(mustPEM(t, &pem.Block{Type: privateKeyBlock, Bytes: der}, err))
	outcometest.Says(t, "a key for key agreement", parseErr, "ecdh.PrivateKey", "cannot sign a request")

	_, parseErr = ParseKey(mustPEM(t, &pem.Block{Type: openSSHPrivateKeyBlock, Bytes: []byte("openssh-key-v1\x00hostile")}, nil))
	if !errors.Is(parseErr, errUnsupportedKey) {
		t.Errorf("an OpenSSH key that is damaged: %v", parseErr)
	}
}

// TestParseKey_WhatComesOutOfADecryptionIsChecked has the right passphrase for something that is not a key, and
// a way of encryption that nobody should use.
func TestParseKey_WhatComesOutOfADecryptionIsChecked(t *testing.T) {
	passphrase := func() ([]byte, error) { return []byte("secret"), nil }
	block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", []byte("hostile"), []byte("secret"), x509.PEMCipherAES256) //nolint:staticcheck // As openssl still writes it.
	if _, err := ParseKeyWithPassphrase(mustPEM(t, block, err), passphrase); !errors.Is(err, ErrWrongPassphrase) || strings.Contains(err.Error(), "hostile") {
		t.Errorf("the legacy form: %v", err)
	}
	// pbeWithMD5AndDES-CBC (RFC 8018, appendix A.3).
	parameters, err := asn1.Marshal(struct {
		Salt       []byte
		Iterations int
	}{make([]byte, 8), 2048})
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 3}, Parameters: asn1.RawValue{FullBytes: parameters}}, make([]byte, 64)})
	_, parseErr := ParseKeyWithPassphrase(mustPEM(t, &pem.Block{Type: encryptedPrivateKeyBlock, Bytes: der}, err), passphrase)
	outcometest.Says(t, "PKCS#8 with DES", parseErr, "encrypted in a way that is not supported", "openssl pkcs8 -topk8 -v2 aes-256-cbc")
	if _, err := ParseKeyWithPassphrase(mustPEM(t, &pem.Block{Type: encryptedPrivateKeyBlock, Bytes: der}, nil), func() ([]byte, error) { return nil, errBroken }); !errors.Is(err, errBroken) {
		t.Errorf("a passphrase that cannot be read: %v", err)
	}
}

func TestRequest_ASignatureThatCostsTooMuchIsNotChecked(t *testing.T) {
	huge := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2*largestRSA), E: 3}
	err := (&Request{PublicKey: huge, parsed: &x509.CertificateRequest{}}).CheckSignature()
	outcometest.Says(t, "a key of 16385 bits", err, "16385 bits is not checked")
	huge.N = new(big.Int).Lsh(big.NewInt(1), 2*largestRSA-1)
	if err := (&Request{PublicKey: huge, parsed: &x509.CertificateRequest{}}).CheckSignature(); err == nil || strings.Contains(err.Error(), "bits") {
		t.Errorf("a key of 16384 bits: %v", err)
	}
}

func TestRequest_AKeyThatIsNotReadHasNoIdentifier(t *testing.T) {
	extension := pkix.Extension{Id: oidSubjectKeyIdentifier, Value: []byte{asn1.TagOctetString, 0}}
	if (&Request{parsed: &x509.CertificateRequest{RawSubjectPublicKeyInfo: []byte("hostile")}}).IsOwnKeyIdentifier(extension) {
		t.Error("an identifier of it is its own")
	}
}
