package clustertest

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// Issue stores a request of a user on a server, named so, and issues its certificate. with is the SHA-256 of the
// certificate that the user logged in with, or "" for something else.
func Issue(t *testing.T, s *Server, name, user, with string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user}}, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	issued := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(s.Now())},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), SignerName: certificatesv1.KubeAPIServerClientSignerName,
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth}, Username: user,
		},
	}
	if with != "" {
		issued.Spec.Extra = map[string]certificatesv1.ExtraValue{access.CredentialIDKey: {access.CertificateIDPrefix + with}}
	}
	s.Put(t, issued)
	s.Decide(name, certificatesv1.CertificateApproved)
	if !s.Find(t, name, issued) || len(issued.Status.Certificate) == 0 {
		t.Fatalf("no certificate was issued: %+v", issued)
	}
	return issued
}
