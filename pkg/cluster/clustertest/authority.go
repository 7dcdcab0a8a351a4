package clustertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// backdated is how long before its creation a certificate is valid (Kubernetes
// pkg/controller/certificates/authority/policies.go).
const backdated = 5 * time.Minute

// authority is the certificate authority of the server's and of the clients' certificates.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	// Clocks of tests differ from the real one.
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: begin, NotAfter: begin.AddDate(100, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate: certificate, key: key}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (a authority) pem() []byte { return encodeCertificate(a.certificate.Raw) }

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// sign signs a certificate in PEM.
func (a authority) sign(template *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	return encodeCertificate(der), err
}

func (a authority) server(t *testing.T) tls.Certificate {
	t.Helper()
	key := newKey(t)
	certificate, err := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, NotBefore: a.certificate.NotBefore, NotAfter: a.certificate.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(certificate)
	return tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}
}

// clientCertificate is what the signer of client certificates makes of a request.
func clientCertificate(subject pkix.Name, now time.Time, lifetime time.Duration) *x509.Certificate {
	return &x509.Certificate{
		Subject: subject, NotBefore: now.Add(-backdated), NotAfter: now.Add(lifetime - backdated),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
}

// Credentials are a certificate of the server's authority for a user, valid for an hour, and its key.
func (s *Server) Credentials(t *testing.T, name string, groups ...string) kubeconfig.Credentials {
	t.Helper()
	return s.CredentialsFor(t, time.Hour, name, groups...)
}

// CredentialsFor are Credentials with another lifetime.
func (s *Server) CredentialsFor(t *testing.T, lifetime time.Duration, name string, groups ...string) kubeconfig.Credentials {
	t.Helper()
	key := newKey(t)
	certificate, err := s.authority.sign(clientCertificate(pkix.Name{CommonName: name, Organization: groups}, s.Now(), lifetime), key.Public())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig.Credentials{Certificate: certificate, Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}
}

// AuthorityFiles are the certificate of the server's authority, and its key, in PEM.
func (s *Server) AuthorityFiles(t *testing.T) (certificate, key []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(s.authority.key)
	if err != nil {
		t.Fatal(err)
	}
	return s.authority.pem(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
