package approve

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestNotes_AnOutcomeIsReportedOnceAndAgainBeforeItIsForgotten(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		one := a.world.setRequest(requestOf(t, "jane"))
		say := func(want int, why, about string) {
			t.Helper()
			if err := a.notes.say(t.Context(), one, request.PolicyOutcome{Why: why}); err != nil {
				t.Error(err)
			}
			if got := len(a.reported["csr-jane"]); got != want {
				t.Errorf("%d reports %s", got, about)
			}
		}
		say(1, "first", "of the first outcome")
		say(1, "first", "of the same outcome")
		say(2, "second", "of another outcome")
		renew := func(want int, about string) {
			t.Helper()
			if err := a.notes.renew(t.Context(), one); err != nil {
				t.Error(err)
			}
			if got := len(a.reported["csr-jane"]); got != want {
				t.Errorf("%d reports %s", got, about)
			}
		}
		a.elapse(noteTime - time.Second)
		renew(2, "within half an hour")
		a.elapse(time.Second)
		renew(3, "after half an hour")
		a.notes.forget(one.uid)
		a.elapse(noteTime)
		renew(3, "of a request that is gone")
	})
}

func TestNotes_WhatAnEarlierLeaderReportedIsNotReportedAgain(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		one := a.world.setRequest(requestOf(t, "jane"))
		said := request.PolicyOutcome{Why: "as before"}
		a.earlier = map[types.UID]request.PolicyOutcome{one.uid: said}
		if err := a.notes.load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.notes.say(t.Context(), one, said); err != nil || len(a.reported) != 0 {
			t.Errorf("%v, %+v", err, a.reported)
		}
		if err := a.notes.say(t.Context(), one, request.PolicyOutcome{Why: "new"}); err != nil || len(a.reported["csr-jane"]) != 1 {
			t.Errorf("%v, %+v", err, a.reported)
		}
	})
}

func TestNotes_ARequesterHasSoManyReportsAndTheRestComesLater(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		var all []*known
		for i := range 2 * noteBurst {
			object := requestOf(t, "mallory")
			object.Name, object.UID = fmt.Sprintf("junk-%d", i), types.UID(fmt.Sprintf("junk-%d", i))
			all = append(all, a.world.setRequest(object))
		}
		for _, one := range all {
			if err := a.notes.say(t.Context(), one, request.PolicyOutcome{Why: "junk"}); err != nil {
				t.Error(err)
			}
		}
		if len(a.reported) != noteBurst {
			t.Errorf("%d at once", len(a.reported))
		}
		if err := a.notes.say(t.Context(), a.world.setRequest(requestOf(t, "jane")), request.PolicyOutcome{Why: "other"}); err != nil || len(a.reported) != noteBurst+1 {
			t.Errorf("%v: another requester waits for it", err)
		}
		a.elapse(10 * time.Second)
		for _, one := range all {
			if err := a.notes.renew(t.Context(), one); err != nil {
				t.Error(err)
			}
		}
		if len(a.reported) != noteBurst+1+int(10*noteRate) {
			t.Errorf("%d after ten seconds", len(a.reported))
		}
	})
}

func TestNotes_BucketsAreForgottenBeforeTheyAreTooMany(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		for i := range 10_001 {
			if !a.notes.take(fmt.Sprint(i), time.Now()) {
				t.Fatalf("requester %d has no reports", i)
			}
		}
		if a.notes.take("one more", time.Now()); len(a.notes.buckets) != 1 {
			t.Errorf("%d are kept", len(a.notes.buckets))
		}
	})
}

func TestNotes_AReportThatFailsIsTriedAgain(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		one := a.world.setRequest(requestOf(t, "jane"))
		a.reportErr = errors.New("connection refused")
		if err := a.notes.say(t.Context(), one, request.PolicyOutcome{Why: "why"}); err == nil {
			t.Error("it did not fail")
		}
		a.reportErr = nil
		if err := a.notes.say(t.Context(), one, request.PolicyOutcome{Why: "why"}); err != nil || len(a.reported["csr-jane"]) != 1 {
			t.Errorf("%v, %+v", err, a.reported)
		}
	})
}

func TestStatuses_SayWhetherAPolicyCompilesAndCanBeEvaluated(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("good", policy.Approve, "false"), policyOf("zero", policy.Approve, "1 / size(findings.filter(f, f == 'none')) == 1"), policyOf("broken", policy.Approve, "subject.team == 'x'"))
		a.start(t)
		expect := func(name, kind string, want metav1.ConditionStatus, says string) {
			t.Helper()
			found := meta.FindStatusCondition(a.written[name].Status.Conditions, kind)
			if found == nil || found.Status != want || !strings.Contains(found.Message, says) || found.ObservedGeneration != 1 {
				t.Errorf("%s: %+v", name, found)
			}
		}
		expect("good", policy.CompiledCondition, metav1.ConditionTrue, "")
		expect("broken", policy.CompiledCondition, metav1.ConditionFalse, "spec.conditions[0].expression: 1:8: undefined field 'team'")
		a.submit(requestOf(t, "jane"))
		a.elapse(time.Second)
		expect("zero", policy.CompiledCondition, metav1.ConditionTrue, "")
		expect("zero", policy.EvaluatedCondition, metav1.ConditionFalse, `division by zero (request "csr-jane")`)
		if meta.FindStatusCondition(a.written["good"].Status.Conditions, policy.EvaluatedCondition) != nil {
			t.Error("good could not be evaluated")
		}
		fixed := policyOf("zero", policy.Approve, "true")
		fixed.Generation, fixed.Status = 2, a.written["zero"].Status
		a.apply(fixed)
		a.elapse(time.Second)
		if left := meta.FindStatusCondition(a.written["zero"].Status.Conditions, policy.EvaluatedCondition); left != nil {
			t.Errorf("of the generation before: %+v", left)
		}
	})
}

// TestStatuses_OneThatCannotBeWrittenIsTriedAgain: that somebody else has changed the policy is not a fault.
func TestStatuses_OneThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	for _, one := range []struct {
		err   error
		lines int
	}{{errors.New("connection refused"), 2}, {outcome.Errorf(outcome.ErrChanged, "changed meanwhile"), 0}} {
		inTest(t, func(t *testing.T, a *test) {
			a.statusErr = one.err
			a.apply(policyOf("all", policy.Approve, "true"))
			a.start(t)
			a.elapse(retryFailed + retryFailed/2)
			if got := a.log.count("level=WARN", "the status of a policy cannot be written", "policy=all", one.err.Error()); got != one.lines || len(a.written) != 0 {
				t.Errorf("%v: %d are logged", one.err, got)
			}
			a.set(func() { a.statusErr = nil })
			if a.elapse(retryFailed); a.written["all"] == nil {
				t.Errorf("%v: it is not tried again", one.err)
			}
		})
	}
}

// TestStatuses_AMessageFitsIntoACondition: the API server refuses a status with a longer one, and it
// would be tried for ever.
func TestStatuses_AMessageFitsIntoACondition(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		long := policyOf("long", policy.Approve, "true")
		long.Spec.Conditions = nil
		for i := range 20 {
			long.Spec.Conditions = append(long.Spec.Conditions, policy.Condition{Name: fmt.Sprintf("c%d", i), Expression: strings.Repeat("x", 4000)})
		}
		a.apply(long)
		a.start(t)
		found := meta.FindStatusCondition(a.written["long"].Status.Conditions, policy.CompiledCondition)
		if found == nil || utf8.RuneCountInString(found.Message) > longestStatus || len(found.Message) < longestStatus/2 {
			t.Errorf("%+v", found)
		}
	})
}

// TestConfirmer_WhoAsksGetsAReadingThatBeganAfterwards has three ask while a reading is under way.
func TestConfirmer_WhoAsksGetsAReadingThatBeganAfterwards(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		release, begun := make(chan struct{}), 0
		a.confirming = func() {
			begun++
			<-release
		}
		done := make(chan error, 4)
		ask := func() { done <- a.confirmer.confirm(t.Context()) }
		go ask()
		a.elapse(0)
		for range 3 {
			go ask()
		}
		a.elapse(time.Second)
		if begun != 1 || len(done) != 0 {
			t.Errorf("%d readings, %d answers", begun, len(done))
		}
		release <- struct{}{}
		a.elapse(time.Second)
		if begun != 2 || len(done) != 1 {
			t.Errorf("%d readings, %d answers", begun, len(done))
		}
		a.set(func() { a.confirmErr = errors.New("connection refused") })
		release <- struct{}{}
		a.elapse(time.Second)
		if begun != 2 || len(done) != 4 || <-done != nil {
			t.Errorf("%d readings, %d answers", begun, len(done))
		}
		for range 3 {
			if err := <-done; err == nil {
				t.Error("the error was lost")
			}
		}
	})
}

func TestWorld_AskedAsOfATimeWhatCameLaterDoesNotCount(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		begin := time.Now()
		a.elapse(time.Hour)
		later := requestOf(t, "jane")
		later.UID = "later"
		a.world.setRequest(later)
		review := request.ReviewOf(requestOf(t, "jane"))
		if then, now := a.world.facts(review, begin, begin), a.world.facts(review, time.Now(), time.Time{}); len(then.Others) != 0 || len(now.Others) != 1 {
			t.Errorf("%+v, then %+v", then.Others, now.Others)
		}
	})
}

// TestWorld_AmongManyRequestsTheOneInTheWayIsFound: thousands of others for the same user are not
// handed to each evaluation.
func TestWorld_AmongManyRequestsTheOneInTheWayIsFound(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		for i := range 1000 {
			junk := requestOf(t, "jane")
			junk.Name, junk.UID, junk.Spec.Username = fmt.Sprintf("junk-%d", i), types.UID(fmt.Sprintf("junk-%d", i)), "mallory"
			a.world.setRequest(junk)
		}
		rival := requestWith(t, newKey(), "jane")
		rival.Name, rival.UID = "rival", "rival"
		a.world.setRequest(rival)
		others := a.world.facts(request.ReviewOf(requestOf(t, "jane")), time.Now(), time.Time{}).Others
		if last := others[len(others)-1]; len(others) > 2 || last.Name != "rival" || !last.IsPending {
			t.Errorf("%d others, %+v", len(others), last)
		}
	})
}
