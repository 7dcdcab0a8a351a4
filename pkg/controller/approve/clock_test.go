package approve

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// useOnly is an API server on which requesters can use policies, and approve nothing.
type useOnly struct{}

func (useOnly) RequesterMay(_ context.Context, _ certificatesv1.CertificateSigningRequestSpec, resource *authorizationv1.ResourceAttributes, _ *authorizationv1.NonResourceAttributes) (bool, error) {
	return resource != nil && resource.Verb == policy.UseVerb, nil
}

// forOthers is a policy that lets everybody request for everybody, with a bound.
func forOthers(bound func(*policy.Spec)) *policy.ApprovalPolicy {
	object := policyOf("for-others", policy.Approve, "true")
	object.Spec.Accept = []string{request.RequestedByOther, request.MoreThanRequester}
	if bound != nil {
		bound(&object.Spec)
	}
	return object
}

// requestBy is a request for a user by somebody else, created at a time.
func requestBy(t *testing.T, requester, user string, at time.Time) *request.Request {
	t.Helper()
	object := requestWith(t, newKey(), user)
	object.Name, object.UID = object.Name+"-by-"+requester, object.UID+"-by-other"
	object.Spec.Username, object.CreationTimestamp = requester, metav1.NewTime(at)
	return object
}

// skews are how far the clock of the API server is ahead: of two nodes, and of one whose clock nobody sets.
var skews = []time.Duration{0, 3 * time.Second, time.Hour}

func TestClock_AUserIsKnownAlsoByWhatIsLaterThanTheClockHere(t *testing.T) {
	for about, know := range map[string]func(t *testing.T, a *test, at time.Time){
		"a request": func(t *testing.T, a *test, at time.Time) {
			own := requestOf(t, "jane")
			own.CreationTimestamp = metav1.NewTime(at)
			a.world.setRequest(own)
		},
		"a certificate": func(_ *testing.T, a *test, at time.Time) { a.world.setRecord(recordOf("1", at.Add(5*time.Minute), "")) },
	} {
		for _, skew := range skews {
			inTest(t, func(t *testing.T, a *test) {
				a.permissions.cluster = useOnly{}
				a.apply(forOthers(nil))
				at := time.Now().Add(skew)
				know(t, a, at)
				_, decision := a.evaluate(t.Context(), a.world.setRequest(requestBy(t, "eve", "jane", at)), time.Now())
				if decision.Outcome != policy.Left || !strings.HasPrefix(decision.Why, policy.FloorKnownUser+": ") {
					t.Errorf("%s, %s ahead: %s: %s", about, skew, decision.Outcome, decision.Why)
				}
			})
		}
	}
}

func TestClock_ApprovalsThatAreLaterThanTheClockHereCountForTheRate(t *testing.T) {
	for _, skew := range skews {
		inTest(t, func(t *testing.T, a *test) {
			a.ahead = skew
			a.apply(forOthers(func(spec *policy.Spec) { spec.Rate = &policy.Rate{Requests: 2, Period: "1h"} }))
			a.start(t)
			for i := range 10 {
				a.submit(requestBy(t, "lead", fmt.Sprintf("user-%d", i), time.Now().Add(skew)))
				a.elapse(100 * time.Millisecond)
			}
			if got := a.outcomes(policy.Approved); got != 2 {
				t.Errorf("%s ahead: %d were approved", skew, got)
			}
		})
	}
}

// TestClock_ACertificateThatBeginsLaterThanTheClockHereIsValid: its requester has logged in with it.
func TestClock_ACertificateThatBeginsLaterThanTheClockHereIsValid(t *testing.T) {
	for _, skew := range skews {
		for most, want := range map[int]policy.Outcome{1: policy.Left, 2: policy.Approved} {
			inTest(t, func(t *testing.T, a *test) {
				object := policyOf("renewals", policy.Approve, "renewal.isRenewal && size(certificates) == 1")
				object.Spec.MaximumCertificates = &most
				a.apply(object)
				record := recordOf(strings.Repeat("a1", 32), time.Now().Add(skew), "")
				a.world.setRecord(record)
				renewal := requestWith(t, newKey(), "jane")
				renewal.Spec.Extra = map[string]certificatesv1.ExtraValue{access.CredentialIDKey: {record.CredentialID()}}
				_, decision := a.evaluate(t.Context(), a.world.setRequest(renewal), time.Now())
				if decision.Outcome != want || want == policy.Left && !strings.Contains(decision.Why, "maximumCertificates: the user would have 2") {
					t.Errorf("%s ahead, %d permitted: %s: %s", skew, most, decision.Outcome, decision.Why)
				}
			})
		}
	}
}

// TestClock_ARateHoldsWhereTheClockIsAhead: approvals count from when they were made here, and not only
// from the API server's time, which the period may have passed.
func TestClock_ARateHoldsWhereTheClockIsAhead(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.ahead = -2 * time.Minute
		a.apply(forOthers(func(spec *policy.Spec) { spec.Rate = &policy.Rate{Requests: 1, Period: "1m"} }))
		a.start(t)
		a.elapse(time.Second)
		for i := range 20 {
			a.submit(numbered(t, i, "user", "lead"))
			a.elapse(500 * time.Millisecond)
		}
		if len(a.decided) != 1 {
			t.Errorf("%d were approved within 10 seconds, and 1 a minute is permitted", len(a.decided))
		}
	})
}
