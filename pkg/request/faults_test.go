package request

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// garbage is a block of the right type with content that is not a request.
func garbage() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("hostile")})
}

func TestUserByHand_ASubjectHasOneCommonName(t *testing.T) {
	commonName := asn1.ObjectIdentifier{2, 5, 4, 3}
	for about, test := range map[string]struct {
		names []string
		says  string
	}{
		"one":  {[]string{"jane"}, ""},
		"two":  {[]string{"jane", "admin"}, "has 2 common names, not one"},
		"none": {nil, "has 0 common names, not one"},
	} {
		key := newTestKey(t)
		object := stored(t, key, jane)
		object.Spec.Usages = []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth}
		object.Spec.Request = signed(t, key, func(r *x509.CertificateRequest) {
			r.Subject = pkix.Name{Organization: []string{"dev"}}
			for _, name := range test.names {
				r.Subject.ExtraNames = append(r.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: commonName, Value: name})
			}
		})
		user, err := UserByHand(object, key.Public())
		if test.says == "" {
			if err != nil || user.Name != "jane" {
				t.Errorf("%s: %v, %v", about, user, err)
			}
			continue
		}
		if !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestVerifiedPKCS10_ASignatureOfAnotherKeyIsAnError(t *testing.T) {
	object := stored(t, newTestKey(t), jane)
	if decoded, err := object.VerifiedPKCS10(); err != nil || decoded == nil {
		t.Fatalf("as it was made: %v", err)
	}
	decoded, err := object.PKCS10()
	if err != nil {
		t.Fatal(err)
	}
	forged := append([]byte{}, decoded.DER...)
	forged[len(forged)-1] ^= 1
	object.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: forged})
	if decoded, err := object.PKCS10(); err != nil || decoded == nil {
		t.Errorf("it is not read: %v", err)
	}
	if decoded, err := object.VerifiedPKCS10(); err == nil || decoded != nil || !strings.Contains(err.Error(), "signature does not verify") {
		t.Errorf("it is taken: %v", err)
	}
	object.Spec.Request = garbage()
	if decoded, err := object.VerifiedPKCS10(); err == nil || decoded != nil {
		t.Errorf("garbage is taken: %v", err)
	}
}
