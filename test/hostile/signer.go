package hostile

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

// Signer is a certificate authority that signs what it wants.
type Signer struct {
	Certificate *x509.Certificate
	Key         any
}

// Forgery changes what a signer puts into a certificate, and the public key that it is for.
type Forgery func(certificate *x509.Certificate, key *any)

// Sign issues a client certificate, in PEM, with what the forgeries change of it.
func (s Signer) Sign(t testing.TB, user identity.User, key any, notBefore, notAfter time.Time, forgeries ...Forgery) []byte {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: user.Name, Organization: user.Groups},
		NotBefore:    notBefore, NotAfter: notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, forge := range forgeries {
		forge(template, &key)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.Certificate, key, s.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
