package approve

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// numbered is one of many requests, all with one key, so that none stands in the way of another.
func numbered(t *testing.T, i int, user, requester string) *request.Request {
	t.Helper()
	object := requestOf(t, user)
	object.Name, object.UID, object.Spec.Username = fmt.Sprintf("csr-%d", i), types.UID(fmt.Sprintf("uid-%d", i)), requester
	return object
}

// TestRoom_RequestsThatAreDecidedAtTheSameTimeDoNotExceedABound has an API server that takes a while to decide.
func TestRoom_RequestsThatAreDecidedAtTheSameTimeDoNotExceedABound(t *testing.T) {
	for about, one := range map[string]struct {
		bound func(spec *policy.Spec, most int)
		user  func(i int) string
	}{
		"rate": {
			func(spec *policy.Spec, most int) { spec.Rate = &policy.Rate{Requests: most, Period: "1h"} },
			func(i int) string { return fmt.Sprintf("user-%d", i) },
		},
		"maximumCertificates": {
			func(spec *policy.Spec, most int) { spec.MaximumCertificates = &most },
			func(int) string { return "jane" },
		},
	} {
		for _, most := range []int{1, 3, 20} {
			inTest(t, func(t *testing.T, a *test) {
				a.deciding = func(*request.Review) { <-time.After(5 * time.Millisecond) }
				a.apply(forOthers(func(spec *policy.Spec) { one.bound(spec, most) }))
				for i := range 40 {
					a.submit(numbered(t, i, one.user(i), "lead"))
				}
				a.start(t)
				a.elapse(10 * time.Second)
				if len(a.decided) != most {
					t.Errorf("%s: %d were approved, and %d are permitted", about, len(a.decided), most)
				}
				for name, said := range a.reported {
					if !strings.Contains(said[0].Why, about+": ") {
						t.Errorf("%s: %+v", name, said)
					}
				}
			})
		}
	}
}

// TestRoom_WhatIsApprovedAndNotIssuedCountsAsACertificate has a signer that issues nothing.
func TestRoom_WhatIsApprovedAndNotIssuedCountsAsACertificate(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		one := 1
		a.apply(forOthers(func(spec *policy.Spec) { spec.MaximumCertificates = &one }))
		a.start(t)
		expect := func(want int, when string) {
			t.Helper()
			if a.elapse(5 * time.Second); len(a.decided) != want {
				t.Errorf("%d are approved %s", len(a.decided), when)
			}
		}
		byPerson := request.Of(request.Approval().Apply(numbered(t, 0, "jane", "jane"), "by a person"))
		a.submit(byPerson)
		for i := range 3 {
			a.submit(numbered(t, i+1, "jane", "jane"))
		}
		expect(0, "next to one that a person has approved")
		failed := request.Of(byPerson.DeepCopy())
		failed.Status.Conditions = append(failed.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: certificatesv1.CertificateFailed})
		a.submit(failed)
		expect(1, "after the signer has failed")
		// An answer that comes late does not undo it.
		a.submit(byPerson)
		a.submit(numbered(t, 4, "jane", "jane"))
		expect(1, "with one of them")
		for i := range 4 {
			if uid := types.UID(fmt.Sprintf("uid-%d", i+1)); a.world.get(uid).state == request.Approved {
				a.tell.gone(a.world.deleteRequest(uid))
			}
		}
		expect(2, "after it is gone")
	})
}

// TestRoom_WhatMayHaveBeenApprovedCounts has decisions of which nobody knows whether they reached the API server.
func TestRoom_WhatMayHaveBeenApprovedCounts(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		object := forOthers(func(spec *policy.Spec) { spec.Rate = &policy.Rate{Requests: 1, Period: "1h"} })
		a.apply(object)
		a.decideErr = errors.New("timed out")
		a.start(t)
		a.elapse(time.Second)
		first := numbered(t, 1, "jane", "lead")
		a.submit(first)
		a.elapse(retryFailed / 2)
		a.submit(numbered(t, 2, "kim", "lead"))
		a.elapse(retryFailed / 4)
		if said := a.reported["csr-2"]; a.decisions != 1 || len(said) != 1 || !strings.Contains(said[0].Why, "rate: 1 request") {
			t.Errorf("%d decisions, %+v", a.decisions, said)
		}
		// A list that began before has it as it was.
		a.submit(first)
		a.set(func() { a.decideErr = nil })
		a.elapse(2 * time.Minute)
		if len(a.decided) != 1 || a.messages["csr-1"] == "" {
			t.Errorf("%+v", a.messages)
		}
	})
}

func TestRoom_WhatIsLeftToPeopleAfterAllDoesNotCount(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		one := 1
		bounded := forOthers(func(spec *policy.Spec) { spec.MaximumCertificates = &one })
		a.apply(bounded)
		a.decideErr = errors.New("timed out")
		a.start(t)
		a.elapse(time.Second)
		a.submit(numbered(t, 1, "jane", "lead"))
		a.elapse(retryFailed / 2)
		a.submit(numbered(t, 2, "jane", "boss"))
		a.elapse(retryFailed / 4)
		changed := forOthers(func(spec *policy.Spec) { spec.MaximumCertificates = &one })
		changed.Generation, changed.Spec.Conditions[0].Expression = 2, "requester.name == 'boss'"
		a.set(func() { a.decideErr = nil })
		a.apply(changed)
		a.elapse(time.Minute)
		if len(a.decided) != 1 || a.messages["csr-2"] == "" {
			t.Errorf("%+v, %+v", a.messages, a.reported)
		}
	})
}

func TestRoom_WhatWasDecidedStaysDecided(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		pending := numbered(t, 1, "jane", "lead")
		approved := request.Of(request.Approval().By(request.PolicyApprovedReason, "policy", "all").Apply(pending, "yes"))
		approved.Status.Conditions[0].LastUpdateTime.Time = time.Now()
		a.world.setRequest(pending)
		a.world.setRequest(approved)
		// It was read before.
		if one := a.world.setRequest(pending); one.IsPending || len(a.world.pending()) != 0 {
			t.Error("it is pending again")
		}
		facts := a.facts(t.Context(), request.ReviewOf(numbered(t, 2, "jane", "lead")), time.Now(), time.Time{})
		if facts.Awaited != 1 || len(facts.Approvals) != 1 {
			t.Errorf("%d awaited, %d approvals", facts.Awaited, len(facts.Approvals))
		}
		then := a.facts(t.Context(), request.ReviewOf(numbered(t, 2, "jane", "lead")), time.Now(), time.Now().Add(-time.Second))
		if then.Awaited != 0 || len(then.Approvals) != 0 {
			t.Errorf("a second before: %d awaited, %d approvals", then.Awaited, len(then.Approvals))
		}
		a.world.deleteRequest("uid-1")
		if a.world.setDecided(approved); a.world.get("uid-1") != nil || a.world.approvals.Drop("lead", "jane", "uid-1") {
			t.Error("it counts after it is gone")
		}
	})
}

// TestRoom_AnApprovalThatIsRefusedTakesNoRoom is for an admission policy that denies one approval each
// time: it is tried again less and less often, and the requester's others are approved.
func TestRoom_AnApprovalThatIsRefusedTakesNoRoom(t *testing.T) {
	for about, refusal := range map[string]error{
		"forbidden": apierrors.NewForbidden(schema.GroupResource{Resource: "certificatesigningrequests"}, "csr-1", nil),
		"invalid":   apierrors.NewInvalid(schema.GroupKind{Kind: "CertificateSigningRequest"}, "csr-1", nil),
	} {
		inTest(t, func(t *testing.T, a *test) {
			a.deciding = func(review *request.Review) {
				a.set(func() {
					a.decideErr = nil
					if review.Object.Name == "csr-1" {
						a.decideErr = refusal
					}
				})
			}
			a.apply(forOthers(func(spec *policy.Spec) { spec.Rate = &policy.Rate{Requests: 1, Period: "1h"} }))
			a.start(t)
			a.elapse(time.Second)
			a.submit(numbered(t, 1, "jane", "lead"))
			a.elapse(10 * time.Minute)
			if a.decisions > 30 {
				t.Errorf("%s: %d decisions in 10 minutes", about, a.decisions)
			}
			a.submit(numbered(t, 2, "kim", "lead"))
			a.elapse(time.Minute)
			if a.messages["csr-2"] == "" {
				t.Errorf("%s: another request of the requester is not approved: %+v", about, a.reported["csr-2"])
			}
		})
	}
}
