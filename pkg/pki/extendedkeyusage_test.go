package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestExtendedKeyUsage_ACertificateWithoutExtendedKeyUsageIsRefusedWithWhatToAdd(t *testing.T) {
	key, err := NewKey(DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	// What openssl x509 -req makes without -extfile.
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jane"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	err = Match(certificate, key.Public(), identity.User{Name: "jane"}, now)
	if err == nil || !strings.Contains(err.Error(), "no extended key usage") || !strings.Contains(outcome.Hint(err), "extendedKeyUsage=clientAuth") {
		t.Errorf("%v, hint %q", err, outcome.Hint(err))
	}
}
