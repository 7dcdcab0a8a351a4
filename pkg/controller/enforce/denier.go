package enforce

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

// nobodyListens is the address of the webhook that is never called: port 1 of the machine
// itself is for TCPMUX (RFC 1078), which nobody runs.
const nobodyListens = "127.0.0.1:1"

// newDenierKubeconfig makes the kubeconfig of the webhook. Whoever answered there with "allowed"
// would be believed, so it trusts a certificate authority whose key is forgotten here.
func newDenierKubeconfig() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "csr-onboard denier"},
		// It signs nothing, at any time.
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(0, 0).AddDate(200, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return revocation.DenierKubeconfig(nobodyListens, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// isCertificate reports whether a text is a certificate in PEM.
func isCertificate(text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return false
	}
	_, err := x509.ParseCertificate(block.Bytes)
	return err == nil
}
