package request

import (
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation"

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
	made, err := pki.NewRequest(key, identity.User{Name: "jane", Groups: []string{"dev"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made.PEM(), "jane", "jane")
	f.Add([]byte("\x1b"), "a\nb", "\u202e")
	f.Fuzz(func(t *testing.T, data []byte, requester, signer string) {
		review := ReviewOf(Of(&certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: data, Username: requester, SignerName: signer,
		}}))
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

// FuzzObjectName derives object names from whatever somebody is called.
func FuzzObjectName(f *testing.F) {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"jane", "csr-jane", "..", "佐藤", "\x00"} {
		f.Add(name, "dev")
	}
	f.Fuzz(func(t *testing.T, name, group string) {
		user := identity.User{Name: name, Groups: []string{group}}
		derived := ObjectName(user, key.Public())
		if problems := validation.IsDNS1123Subdomain(derived); len(problems) > 0 || strings.HasPrefix(derived, "csr-") {
			t.Errorf("%q has the object name %q: %v", name, derived, problems)
		}
		if other := ObjectName(identity.User{Name: name + "x", Groups: user.Groups}, key.Public()); other == derived {
			t.Errorf("%q and %q share the object name %q", name, name+"x", derived)
		}
	})
}
