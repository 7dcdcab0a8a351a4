package approve

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
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

// TestCheck_ARecordWithoutItsRequestIsCountedFromItsBeginning: what was issued before is not asked for.
func TestCheck_ARecordWithoutItsRequestIsCountedFromItsBeginning(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		now := time.Now()
		r := &rehearsal{evaluator: *a.evaluator}
		with := func(name string, begin time.Time, asked *ledger.Request) *ledger.ClientCertificate {
			record := recordOf(name, now, "")
			record.Spec.NotBefore, record.Spec.Request = metav1.NewTime(begin), asked
			return record
		}
		for _, record := range []*ledger.ClientCertificate{
			with("before", now.Add(-time.Second), nil), with("then", now, nil), with("after", now.Add(time.Minute), nil),
			with("not-when", now.Add(time.Minute), &ledger.Request{Name: "request"}),
		} {
			r.addRecord(record, now)
		}
		if r.notEvaluated != 3 || len(r.reviews) != 0 || len(a.world.certificates["jane"]) != 4 {
			t.Errorf("%d not evaluated, %d requests, %d certificates", r.notEvaluated, len(r.reviews), len(a.world.certificates["jane"]))
		}
	})
}

// TestCheck_WithoutEverythingThatDecisionsDependOnNothingIsSaid has an API server that forbids to read one thing at a
// time.
func TestCheck_WithoutEverythingThatDecisionsDependOnNothingIsSaid(t *testing.T) {
	server := clustertest.New(t)
	in := CheckInput{Cluster: server.Admin(t), Approver: DefaultAccount, Now: time.Now, Policies: []*policy.Policy{{Name: "all", Action: policy.Approve}}}
	for _, one := range []string{"certificatesigningrequests", "configmaps", "clientcertificates", "clusterrolebindings", "rolebindings", "clusterroles"} {
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			isIt := strings.HasSuffix(r.URL.Path, "/"+one)
			if isIt {
				clustertest.Fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
			}
			return isIt
		}
		if check, err := CheckAll(t.Context(), in); check != nil || err == nil || !strings.Contains(err.Error(), "forbidden") {
			t.Errorf("%s: %+v, %v", one, check, err)
		}
		if explanation, err := Explain(t.Context(), in, "all", "request"); explanation != nil || err == nil || !strings.Contains(err.Error(), "forbidden") {
			t.Errorf("%s: %+v, %v", one, explanation, err)
		}
	}
	server.Answer = nil
	if check, err := CheckAll(t.Context(), in); err != nil || len(check.Policies) != 1 || len(check.Requests) != 0 {
		t.Errorf("%+v, %v", check, err)
	}
	for about, names := range map[string][2]string{`policy "none" not found`: {"none", "request"}, `request "request" not found`: {"all", "request"}} {
		if _, err := Explain(t.Context(), in, names[0], names[1]); !errors.Is(err, outcome.ErrNotFound) || !strings.Contains(err.Error(), about) {
			t.Errorf("%s: %v", about, err)
		}
	}
}
