package audit_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// TestRelease_ARecorderThatStartsMeanwhileEndsIt is for a recorder that adds the finalizer again as often
// as it is removed.
func TestRelease_ARecorderThatStartsMeanwhileEndsIt(t *testing.T) {
	w := onboardtest.New(t)
	name := held(t, w, "jane", ledger.Finalizer)
	w.Server.Answer = func(response http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, name) {
			return false
		}
		showRecorder(t, w, w.Now())
		response.WriteHeader(http.StatusConflict)
		return true
	}
	if _, err := audit.Release(t.Context(), w.Program); !errors.Is(err, outcome.ErrRefused) {
		t.Errorf("%v", err)
	}
}

// TestRelease_ARecorderWhoseClockIsLateEndsItAsWell is for a recorder that starts meanwhile, where the clock of this
// machine is ahead.
func TestRelease_ARecorderWhoseClockIsLateEndsItAsWell(t *testing.T) {
	w := onboardtest.New(t)
	name := held(t, w, "jane", ledger.Finalizer)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	w.Server.Answer = func(response http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, name) {
			return false
		}
		showRecorder(t, w, w.Now().Add(-10*time.Minute))
		response.WriteHeader(http.StatusConflict)
		return true
	}
	if _, err := audit.Release(ctx, w.Program); !errors.Is(err, outcome.ErrRefused) {
		t.Errorf("%v", err)
	}
}

// showRecorder has a recorder show itself at a time.
func showRecorder(t *testing.T, w *onboardtest.World, at time.Time) {
	t.Helper()
	shown := metav1.NewMicroTime(at)
	w.Server.Put(t, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: ledger.RecorderLease, Namespace: ledger.RecorderNamespace},
		Spec:       coordinationv1.LeaseSpec{RenewTime: &shown},
	})
}

// TestRelease_ARecorderThatWasJustStoppedIsWaitedFor has clocks of this machine that are not the cluster's, and that go
// faster than the test.
func TestRelease_ARecorderThatWasJustStoppedIsWaitedFor(t *testing.T) {
	for about, test := range map[string]struct {
		ahead, ago time.Duration
		told       int
	}{
		"the clocks are the same":         {0, time.Second, 1},
		"this one is behind":              {-10 * time.Minute, time.Second, 1},
		"this one is ahead":               {10 * time.Minute, time.Second, 1},
		"it was stopped a moment before":  {0, 10 * time.Minute, 1},
		"it was stopped an hour before":   {0, time.Hour, 0},
		"this one is behind by some days": {-50 * time.Hour, time.Hour, 1},
	} {
		w := onboardtest.New(t)
		held(t, w, "jane", ledger.Finalizer)
		showRecorder(t, w, w.Now().Add(-test.ago))
		begin := w.Now().Add(test.ahead)
		now, program := begin, *w.Program
		program.Now = func() time.Time {
			now = now.Add(6 * time.Second)
			return now
		}
		if released, err := audit.Release(t.Context(), &program); err != nil || released != 1 {
			t.Errorf("%s: %d, %v", about, released, err)
		}
		told := onboardtest.Told[audit.RecorderAwaited](w)
		if len(told) != test.told || test.told == 1 && told[0].Left != ledger.RecorderSilence {
			t.Errorf("%s: %+v", about, told)
		}
		if took := now.Sub(begin); took > time.Minute || (took < ledger.RecorderSilence) != (test.told == 0) {
			t.Errorf("%s: it took %s", about, took)
		}
	}
}

func TestRelease_ARecorderThatShowsItselfAgainRuns(t *testing.T) {
	w := onboardtest.New(t)
	name := held(t, w, "jane", ledger.Finalizer)
	w.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/leases/") {
			showRecorder(t, w, w.Now())
		}
		return false
	}
	if _, err := audit.Release(t.Context(), w.Program); !errors.Is(err, outcome.ErrRefused) || len(w.Stored(t, name).Finalizers) != 1 {
		t.Errorf("%v", err)
	}
}

// held is a request of a user with finalizers.
func held(t *testing.T, w *onboardtest.World, user string, finalizers ...string) string {
	t.Helper()
	object := w.Submit(t, onboardtest.Asked(t, user))
	if err := w.Cluster.Requests().SetFinalizers(t.Context(), object, finalizers); err != nil {
		t.Fatal(err)
	}
	return object.Name
}

func TestRelease_EveryRequestIsLetGoAndTheGuardIsRemoved(t *testing.T) {
	w := onboardtest.New(t)
	guard := metav1.ObjectMeta{Name: ledger.GuardName}
	w.Server.Put(t, &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: guard}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: guard})
	longAgo := metav1.NewMicroTime(w.Now().Add(-time.Hour))
	w.Server.Put(t, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: ledger.RecorderLease, Namespace: ledger.RecorderNamespace},
		Spec:       coordinationv1.LeaseSpec{RenewTime: &longAgo},
	})
	jane, sam := held(t, w, "jane", "other", ledger.Finalizer), held(t, w, "sam", "other")
	kim := held(t, w, "kim", ledger.Finalizer)
	// The first answer comes from an API server that still applies the policy.
	isFirst := true
	w.Server.Answer = func(response http.ResponseWriter, r *http.Request) bool {
		if !isFirst || r.Method == http.MethodGet || !strings.Contains(r.URL.Path, kim) {
			return false
		}
		isFirst = false
		clustertest.Fail(response, http.StatusForbidden, metav1.StatusReasonForbidden)
		return true
	}
	if released, err := audit.Release(t.Context(), w.Program); err != nil || released != 2 {
		t.Errorf("%d, %v", released, err)
	}
	for name, want := range map[string]int{jane: 1, sam: 1, kim: 0} {
		if got := w.Stored(t, name).Finalizers; len(got) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if left := append(w.Server.Names("validatingadmissionpolicies"), w.Server.Names("validatingadmissionpolicybindings")...); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

func TestRelease_WhatCannotBeFoundOutEndsIt(t *testing.T) {
	for _, refused := range []struct{ verb, resource string }{{"get", "leases"}, {"delete", "validatingadmissionpolicies"}} {
		w := onboardtest.New(t)
		name := held(t, w, "jane", ledger.Finalizer)
		w.Server.Refuse(refused.verb, refused.resource)
		if released, err := audit.Release(t.Context(), w.Program); err == nil || released != 0 {
			t.Errorf("%v: %d, %v", refused, released, err)
		}
		if got := w.Stored(t, name).Finalizers; len(got) != 1 {
			t.Errorf("%v: %q", refused, got)
		}
	}
}

// TestRelease_ARefusalThatStaysIsReported has a clock that passes the time an API server may take.
func TestRelease_ARefusalThatStaysIsReported(t *testing.T) {
	w := onboardtest.New(t)
	held(t, w, "jane", ledger.Finalizer)
	w.Server.Refuse("patch", "certificatesigningrequests")
	w.Server.Refuse("update", "certificatesigningrequests")
	now, program := w.Now(), *w.Program
	program.Now = func() time.Time {
		now = now.Add(time.Minute)
		return now
	}
	if released, err := audit.Release(t.Context(), &program); err == nil || released != 0 || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("%d, %v", released, err)
	}
}
