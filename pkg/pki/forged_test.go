package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

func TestACertificateThatOnlyNamesTheAuthorityIsForged(t *testing.T) {
	authority := func(name string) (*x509.Certificate, []byte, any) {
		key, err := NewKey(DefaultKeyAlgorithm)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return parsed, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}), key
	}
	signed := func(by *x509.Certificate, with any) *Certificate {
		key, err := NewKey(DefaultKeyAlgorithm)
		if err != nil {
			t.Fatal(err)
		}
		subject, err := encodeSubject(identity.User{Name: "jane"})
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), RawSubject: subject, NotAfter: time.Now().Add(time.Hour)}, by, key.Public(), with)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}))
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	real, realPEM, realKey := authority("kubernetes")
	renewed, renewedPEM, renewedKey := authority("kubernetes")
	_, otherPEM, _ := authority("server-ca")
	for _, test := range []struct {
		about       string
		certificate *Certificate
		authorities []byte
		forged      bool
	}{
		{"signed by the authority", signed(real, realKey), realPEM, false},
		{"signed by one of two of the same name", signed(renewed, renewedKey), append(append([]byte{}, realPEM...), renewedPEM...), false},
		{"naming the authority", signed(renewed, renewedKey), realPEM, true},
		{"of an authority that is not there", signed(real, realKey), otherPEM, false},
		{"without authorities", signed(real, realKey), nil, false},
	} {
		if err := CheckNotForged(test.certificate, test.authorities); (err != nil) != test.forged {
			t.Errorf("%s: %v", test.about, err)
		}
	}
}
