package render

import (
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestChoice_AChoiceFitsAndTellsRequestsApart(t *testing.T) {
	now := time.Now()
	var reviews []*request.Review
	for _, name := range []string{"jane", "jane", strings.Repeat("日本", 30), strings.Repeat("long-name", 20)} {
		key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
		if err != nil {
			t.Fatal(err)
		}
		made, err := pki.NewRequest(key, identity.User{Name: name, Groups: []string{"developers", "operators"}})
		if err != nil {
			t.Fatal(err)
		}
		object := request.Build(made, request.Terms{Lifetime: time.Hour, Signer: request.Signer})
		object.CreationTimestamp = metav1.NewTime(now)
		reviews = append(reviews, request.ReviewOf(object))
	}
	reviews = append(reviews, request.ReviewOf(request.Of(&certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "unreadable"}})))
	for columns := 32; columns <= 300; columns++ {
		seen := map[string]bool{}
		for _, review := range reviews {
			choice := Choice(review, now, columns)
			if screen.Width(choice) > columns {
				t.Errorf("in %d columns a choice takes %d: %q", columns, screen.Width(choice), choice)
			}
			seen[choice] = true
		}
		if len(seen) != len(reviews) {
			t.Errorf("in %d columns %d of %d requests can be told apart", columns, len(seen), len(reviews))
		}
	}
	if wide := Choice(reviews[0], now, 300); !strings.Contains(wide, reviews[0].Fingerprint) || !strings.HasSuffix(wide, reviews[0].Object.Name) {
		t.Errorf("with room, a choice is %q", wide)
	}
}
