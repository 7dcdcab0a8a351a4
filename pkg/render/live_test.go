package render

import (
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestLive_ALiveLineLeavesTheLastColumnFree(t *testing.T) {
	for _, text := range []string{"waiting", strings.Repeat("waiting for jane ", 10), strings.Repeat("日本語", 40), strings.Repeat("e\u0301", 200)} {
		for columns := 1; columns <= 200; columns++ {
			line := liveText(text, 90*time.Minute, columns)
			if width(line) > max(columns-1, 0) {
				t.Errorf("in %d columns the line takes %d: %q", columns, width(line), line)
			}
			if columns >= 30 && !strings.HasSuffix(line, " (90m)") {
				t.Errorf("in %d columns the line does not say how long: %q", columns, line)
			}
		}
	}
	if line := liveText("waiting", time.Second, 80); line != "waiting (1s)" {
		t.Errorf("a short line is %q", line)
	}
}

func TestLive_AChoiceFitsAndTellsRequestsApart(t *testing.T) {
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
			if width(choice) > columns {
				t.Errorf("in %d columns a choice takes %d: %q", columns, width(choice), choice)
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
