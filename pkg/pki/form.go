package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// content is what a file may hold, in words.
type content string

const (
	aRequest     content = "a certificate signing request"
	aCertificate content = "a certificate"
	aPrivateKey  content = "a private key"
)

// form is a form of file that csr-onboard does not read. to has the commands that
// take something else out of it.
type form struct {
	name string
	is   func(data []byte) bool
	to   map[content]string
}

// forms are told by how the data begins, or by its structure.
var forms = []form{
	{"a PKCS#12 key store", isPKCS12, map[content]string{
		aPrivateKey:  "openssl pkcs12 -in FILE -nocerts -nodes -out KEY",
		aCertificate: "openssl pkcs12 -in FILE -nokeys -out CERTIFICATE",
	}},
	{"a Java key store (JKS)", startsWith("\xfe\xed\xfe\xed", "\xce\xce\xce\xce"), map[content]string{
		aPrivateKey:  "keytool -importkeystore -srckeystore FILE -destkeystore STORE.p12 -deststoretype PKCS12, then: openssl pkcs12 -in STORE.p12 -nocerts -nodes -out KEY",
		aCertificate: "keytool -exportcert -rfc -keystore FILE -alias ALIAS -file CERTIFICATE",
		aRequest:     "keytool -certreq -keystore FILE -alias ALIAS -file REQUEST",
	}},
	{"a PKCS#7 bundle of certificates", isPKCS7, map[content]string{
		aCertificate: "openssl pkcs7 -inform DER -in FILE -print_certs -out CERTIFICATE",
	}},
	{"a key of PuTTY's own form", startsWith("PuTTY-User-Key-File-"), map[content]string{
		aPrivateKey: "puttygen FILE -O private-openssh -o KEY",
	}},
	{"an SSH public key", startsWith("ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-"), nil},
	{"an encrypted private key", isEncryptedPKCS8, nil},
	{string(aRequest), succeeds(x509.ParseCertificateRequest), nil},
	{string(aCertificate), succeeds(x509.ParseCertificate), nil},
	{"a public key", succeeds(x509.ParsePKIXPublicKey), nil},
	{string(aPrivateKey), func(der []byte) bool {
		return succeeds(x509.ParsePKCS8PrivateKey)(der) || succeeds(x509.ParsePKCS1PrivateKey)(der) || succeeds(x509.ParseECPrivateKey)(der)
	}, nil},
}

// formErr is the error of data in a form that is known and is not the wanted content,
// with the command that converts it as its hint; nil if nothing is known of the form.
func formErr(data []byte, wanted content) error {
	for _, one := range forms {
		if one.name == string(wanted) || !one.is(data) {
			continue
		}
		err := fmt.Errorf("it is %s, not %s", one.name, wanted)
		if convert := one.to[wanted]; convert != "" {
			return outcome.WithHint(err, "convert it: %s", convert)
		}
		return err
	}
	return nil
}

func startsWith(beginnings ...string) func([]byte) bool {
	return func(data []byte) bool {
		text := Text(data)
		for _, beginning := range beginnings {
			if bytes.HasPrefix(text, []byte(beginning)) {
				return true
			}
		}
		return false
	}
}

func succeeds[T any](parse func([]byte) (T, error)) func([]byte) bool {
	return func(der []byte) bool {
		_, err := parse(der)
		return err == nil
	}
}

// isPKCS12 recognizes a PFX (RFC 7292, section 4): a SEQUENCE, of definite or, as
// some tools write it, indefinite length, that starts with the version 3 and a SEQUENCE.
func isPKCS12(data []byte) bool {
	if !IsDER(data) {
		return false
	}
	header := 2
	if data[1] > 0x80 {
		header += int(data[1] & 0x7f)
	}
	return len(data) > header && bytes.HasPrefix(data[header:], []byte{2, 1, 3, 0x30})
}

// isPKCS7 recognizes a ContentInfo of type signedData (RFC 2315, section 7).
func isPKCS7(data []byte) bool {
	var info struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}
	_, err := asn1.Unmarshal(data, &info)
	return err == nil && info.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2})
}

// isEncryptedPKCS8 recognizes an EncryptedPrivateKeyInfo (RFC 5958, section 3).
func isEncryptedPKCS8(data []byte) bool {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	rest, err := asn1.Unmarshal(data, &info)
	return err == nil && len(rest) == 0
}
