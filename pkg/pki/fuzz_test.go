package pki

import (
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

func FuzzParseKey(f *testing.F) {
	for _, algorithm := range []KeyAlgorithm{DefaultKeyAlgorithm, "ed25519"} {
		key, err := NewKey(algorithm)
		if err != nil {
			f.Fatal(err)
		}
		encoded, err := EncodeKey(key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Add([]byte("-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParseKey(data)
		if err != nil {
			return
		}
		if err := CheckKeyStrength(key.Public()); err != nil {
			t.Errorf("a weak key was accepted: %v", err)
		}
		if _, err := EncodeKey(key); err != nil {
			t.Errorf("an accepted key cannot be written: %v", err)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	key, err := NewKey(DefaultKeyAlgorithm)
	if err != nil {
		f.Fatal(err)
	}
	made, err := NewRequest(key, identity.User{Name: "jane", Groups: []string{"dev"}})
	if err != nil {
		f.Fatal(err)
	}
	encoded := made.PEM()
	f.Add(encoded)
	f.Add(append([]byte("text\n"), encoded...))
	f.Fuzz(func(t *testing.T, data []byte) {
		request, err := ParseRequest(data)
		if err != nil {
			return
		}
		if text := request.Subject.String(); identity.PrintableSentence(text) != text {
			t.Errorf("the subject is not safe to print: %q", text)
		}
		if Fingerprint(request.PublicKey) == "" {
			t.Error("an accepted request has no fingerprint")
		}
	})
}

func FuzzParseCertificate(f *testing.F) {
	key, err := NewKey(DefaultKeyAlgorithm)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		certificate, err := ParseCertificate(data)
		if err != nil {
			return
		}
		again, err := ParseCertificate(certificate.PEM)
		if err != nil || !again.Leaf.Equal(certificate.Leaf) {
			t.Errorf("what was re-encoded is another certificate: %v", err)
		}
		if Match(certificate, key.Public(), identity.User{Name: "jane"}, time.Unix(0, 0)) == nil {
			t.Error("a certificate for another key matches")
		}
	})
}
