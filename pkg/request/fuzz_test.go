package request

import (
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// FuzzReview reviews whatever bytes somebody may submit: it never fails, never
// says anything that a terminal would obey, and never lets anything pass that was
// not decoded.
func FuzzReview(f *testing.F) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		f.Fatal(err)
	}
	encoded, err := pki.NewRequest(key, identity.User{Name: "jane", Groups: []string{"dev"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded, "jane", "jane")
	f.Add([]byte("\x1b"), "a\nb", "\u202e")
	f.Fuzz(func(t *testing.T, data []byte, requester, signer string) {
		review := ReviewOf(&certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: data, Username: requester, SignerName: signer,
		}})
		for _, finding := range review.Findings {
			if identity.PrintableSentence(finding.Sentence) != finding.Sentence {
				t.Errorf("a finding is not safe to print: %q", finding.Sentence)
			}
		}
		if review.Fingerprint == "" && review.CheckAllowed(Allowable()) == nil {
			t.Error("a request that was not decoded may be approved")
		}
	})
}
