package approve

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// recordOf is the record of a certificate of jane, of which the request was submitted at a time with
// another certificate of that user, if there was one, and approved at once.
func recordOf(name string, at time.Time, with string) *ledger.ClientCertificate {
	asked := metav1.NewTime(at)
	record := &ledger.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: ledger.Spec{
			User: "jane", Groups: []string{"dev"}, Key: ledger.Key{Fingerprint: "SHA256:" + name, Algorithm: "ECDSA P-256"},
			NotBefore: metav1.NewTime(at.Add(-5 * time.Minute)), NotAfter: metav1.NewTime(at.Add(time.Hour)),
			Request:   &ledger.Request{Name: "request-" + name, UID: "uid-" + name, CreatedAt: &asked, DecidedAt: &asked, LifetimeSeconds: 3600},
			Requester: &ledger.Requester{User: "jane", Groups: []string{"dev"}},
			Decision:  &ledger.Decision{Reason: request.PolicyApprovedReason, Policy: "renewals"},
		},
	}
	if with != "" {
		record.Spec.Requester.CredentialID = "X509SHA256=" + with
	}
	return record
}

// TestCheck_ARecordedRequestIsEvaluatedAsOfItsTime has a chain of three certificates, each of which
// was requested a minute after the one before was issued.
func TestCheck_ARecordedRequestIsEvaluatedAsOfItsTime(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		now := time.Now()
		r := &rehearsal{evaluator: *a.evaluator}
		object := policyOf("renewals", policy.Approve, "renewal.isRenewal")
		object.Spec.Rate = &policy.Rate{Requests: 1, Period: "1h"}
		r.policies = append(r.policies, a.world.compile(object))
		first, second, third := strings.Repeat("a1", 32), strings.Repeat("b2", 32), strings.Repeat("c3", 32)
		unknown := recordOf("unknown", now, "")
		unknown.Spec.User, unknown.Spec.Requester = "bob", nil
		for _, record := range []*ledger.ClientCertificate{
			recordOf(third, now.Add(2*time.Minute), second), recordOf(second, now.Add(time.Minute), first), recordOf(first, now, ""), unknown,
			recordOf("too-old", now.Add(-time.Hour), ""),
		} {
			r.addRecord(record, now)
		}
		r.sort()
		want := []struct {
			name         string
			certificates int
			outcome      policy.Outcome
			says         string
		}{
			{first, 1, policy.Left, "because"},
			{second, 2, policy.Left, "rate: 1 request of"},
			{third, 3, policy.Left, "rate: 2 requests"},
		}
		if len(r.reviews) != len(want) || r.notEvaluated != 1 {
			t.Fatalf("%d requests, %d not evaluated", len(r.reviews), r.notEvaluated)
		}
		for i, expected := range want {
			facts, decision := r.decide(t.Context(), r.reviews[i], now.Add(24*time.Hour))
			if r.reviews[i].Object.Name != "request-"+expected.name || len(facts.Certificates) != expected.certificates || decision.Outcome != expected.outcome || !strings.Contains(decision.Why, expected.says) {
				t.Errorf("%s: %d certificates, %s: %s", r.reviews[i].Object.Name, len(facts.Certificates), decision.Outcome, decision.Why)
			}
		}
		object.Spec.Rate, object.Generation = nil, 2
		r.policies = []*policy.Compiled{a.world.compile(object)}
		if _, decision := r.decide(t.Context(), r.reviews[2], now); decision.Outcome != policy.Approved {
			t.Errorf("%+v", decision)
		}
	})
}
