package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/ssh"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func mustPKCS8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func mustPEM(t *testing.T, block *pem.Block, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// traditionalOf is a key in the form of its own algorithm; nil for Ed25519.
func traditionalOf(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return x509.MarshalPKCS1PrivateKey(key)
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	return nil
}

// pkcs12Text is what openssl pkcs12 -nodes prints around blocks.
func pkcs12Text(blocks ...[]byte) []byte {
	var text []byte
	for _, block := range blocks {
		text = append(text, "Bag Attributes\n    localKeyID: 54 69 6D 65\nsubject=CN = jane\n\nissuer=CN = kubernetes\n\n"...)
		text = append(text, block...)
	}
	return text
}

func TestParseKey_AKeyIsReadByItsContentInEveryForm(t *testing.T) {
	certificate := newTestAuthority(t, "kubernetes", nil).sign(t, nil)
	for _, algorithm := range []KeyAlgorithm{"rsa-2048", "ecdsa-p256", "ed25519"} {
		key := keyOf(t, algorithm)
		ders := map[string][]byte{"PKCS#8": mustPKCS8(t, key)}
		if traditional := traditionalOf(t, key); traditional != nil {
			ders["PKCS#1 or SEC1"] = traditional
		}
		forms := map[string][]byte{}
		for encoding, der := range ders {
			for _, label := range []string{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"} {
				for name, data := range texts(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})) {
					forms[encoding+" as "+label+", "+name] = data
				}
			}
			block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
			forms[encoding+" in DER"] = der
			forms[encoding+" in base64"] = base64Of(der)
			forms[encoding+" in PKCS#12's text, the key first"] = pkcs12Text(block, certificate.PEM)
			forms[encoding+" in PKCS#12's text, the key last"] = pkcs12Text(certificate.PEM, block)
		}
		openSSH, err := ssh.MarshalPrivateKey(key, "jane@laptop")
		for name, data := range texts(mustPEM(t, openSSH, err)) {
			forms["OpenSSH, "+name] = data
		}
		for name, data := range forms {
			parsed, err := ParseKey(data)
			if err != nil {
				t.Errorf("%s, %s: %v", algorithm, name, err)
				continue
			}
			if !SamePublicKey(parsed.Public(), key.Public()) {
				t.Errorf("%s, %s: another key", algorithm, name)
			}
		}
	}
}

// encryptedForms are a key as other tools encrypt it.
func encryptedForms(t *testing.T, key crypto.Signer, passphrase []byte) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{}
	for name, options := range map[string]*pkcs8.Opts{
		"PKCS#8, AES-256, PBKDF2": {Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 2048, HMACHash: crypto.SHA256}},
		"PKCS#8, scrypt":          {Cipher: pkcs8.AES128CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 8, CostParameter: 1 << 10, BlockSize: 8, ParallelizationParameter: 1}},
		"PKCS#8, 3DES":            {Cipher: pkcs8.TripleDESCBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 2048, HMACHash: crypto.SHA1}},
	} {
		der, err := pkcs8.MarshalPrivateKey(key, passphrase, options)
		forms[name] = mustPEM(t, &pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}, err)
		forms[name+" in DER"] = der
	}
	if der := traditionalOf(t, key); der != nil {
		block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", der, passphrase, x509.PEMCipherAES256) //nolint:staticcheck // As openssl still writes it.
		forms["the legacy form of openssl"] = mustPEM(t, block, err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "jane", passphrase)
	forms["OpenSSH"] = mustPEM(t, block, err)
	return forms
}

func TestParseKey_AnEncryptedKeyIsOpenedByItsPassphraseOnly(t *testing.T) {
	key := keyOf(t, DefaultKeyAlgorithm)
	secret := []byte("correct horse")
	with := func(passphrase string) Passphrase {
		return func() ([]byte, error) { return []byte(passphrase), nil }
	}
	for name, data := range encryptedForms(t, key, secret) {
		parsed, err := ParseKeyWithPassphrase(data, with(string(secret)))
		if err != nil || !SamePublicKey(parsed.Public(), key.Public()) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := ParseKeyWithPassphrase(data, with("wrong horse")); !errors.Is(err, ErrWrongPassphrase) {
			t.Errorf("%s, with another passphrase: %v", name, err)
		}
		if _, err := ParseKeyWithPassphrase(data, with("")); err == nil || !strings.Contains(err.Error(), "empty") {
			t.Errorf("%s, with none: %v", name, err)
		}
		_, err = ParseKey(data)
		if !errors.Is(err, ErrEncryptedKey) || !strings.Contains(outcome.Hint(err), " KEY") {
			t.Errorf("%s, read as it is: %v, hint %q", name, err, outcome.Hint(err))
		}
	}
	plain, err := EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	if _, err := ParseKeyWithPassphrase(plain, func() ([]byte, error) { asked = true; return nil, nil }); err != nil || asked {
		t.Errorf("a key that is not encrypted: %v, and a passphrase was asked for: %t", err, asked)
	}
}

func TestParseKey_ADamagedKeyIsAnErrorAndNotAPanic(t *testing.T) {
	der, err := pkcs8.MarshalPrivateKey(keyOf(t, DefaultKeyAlgorithm), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		t.Fatal(err)
	}
	info.Data = info.Data[:len(info.Data)-1]
	damaged, err := asn1.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ParseKeyWithPassphrase(damaged, func() ([]byte, error) { return []byte("secret"), nil })
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("it is read: %v", err)
	}
}

func TestParseKey_APassphraseIsTheFirstLineOfItsFile(t *testing.T) {
	for data, want := range map[string]string{"secret": "secret", "secret\n": "secret", "se cret \r\nother\n": "se cret ", "\uFEFFsecret\r": "secret", "": ""} {
		if got := string(FirstLine([]byte(data))); got != want {
			t.Errorf("%q: %q", data, got)
		}
	}
}
