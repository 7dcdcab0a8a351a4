package ledger

import (
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

func TestReview_SaysWhatUserAndRequesterHave(t *testing.T) {
	for name, user := range map[string]string{"review-1": "review-jane", "review-2": "review-jane"} {
		submit(t, shared.admin, name, user)
		decide(t, shared.admin, name, certificatesv1.CertificateApproved)
		shared.recorded(t, shared.issued(t, name))
	}
	revoked := shared.recorded(t, shared.issued(t, "review-2"))
	shared.block(t, "credential:X509SHA256="+revoked.Name)
	sam := shared.user(t, "review-sam", requester...)
	end := metav1.NewTime(time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second))
	shared.put(t, 1, func(record *ledger.ClientCertificate) { record.Spec.User, record.Spec.NotAfter = "review-sam", end })
	submit(t, sam, "review-pending", "review-jane")
	for _, arguments := range [][]string{{"show", "review-pending"}, {"show", "review-jane"}, {"approve", "review-pending", "--dry-run=client"}} {
		got := shared.run(t, arguments...)
		for _, want := range []string{"review-jane has 1 certificate, until ", ", and 1 revoked; review-sam has 1 certificate, until " + end.UTC().Format(time.RFC3339)} {
			if !strings.Contains(got.Stdout, want) {
				t.Errorf("%q does not say %q: %d\n%s%s", arguments, want, got.Code, got.Stdout, got.Stderr)
			}
		}
	}
	// A requester can read requests, and not the ledger.
	got := shared.runAs(t, shared.plane.KubeconfigOf("review-sam"), "show", "review-pending")
	if got.Code != 0 || strings.Contains(got.Stdout, "ledger") || strings.Contains(got.Stdout, "no certificates") {
		t.Errorf("%d\n%s%s", got.Code, got.Stdout, got.Stderr)
	}
}
