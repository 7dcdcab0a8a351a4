package resources_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestKeptExport_WhatTheClusterDoesNotKeepIsNoExport(t *testing.T) {
	export := ledger.Export{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), By: "auditor", Lines: 7}
	text, err := json.Marshal(export)
	if err != nil {
		t.Fatal(err)
	}
	for about, test := range map[string]struct {
		kept map[string]string
		is   bool
	}{
		"nothing at all":                {nil, false},
		"another export":                {map[string]string{"other": string(text)}, false},
		"a value that is not an export": {map[string]string{"head": `"hostile`}, false},
		"the export":                    {map[string]string{"head": string(text)}, true},
	} {
		server := clustertest.New(t)
		if test.kept != nil {
			server.Put(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ledger.ExportsNamespace, Name: ledger.ExportsName}, Data: test.kept})
		}
		got, isKept, err := server.Admin(t).Resources().KeptExport(t.Context(), "head")
		if err != nil || isKept != test.is || test.is && got != export || !test.is && got != (ledger.Export{}) {
			t.Errorf("%s: %v, %v, %v", about, got, isKept, err)
		}
	}
}

// TestGuardedSince_ThePolicyCountsFromWhenBothExist has the policy and its binding in either order.
func TestGuardedSince_ThePolicyCountsFromWhenBothExist(t *testing.T) {
	first := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	later := metav1.NewTime(first.Add(time.Hour))
	for _, test := range []struct{ policy, binding *metav1.Time }{{&first, &later}, {&later, &first}, {&first, nil}, {nil, &first}} {
		server := clustertest.New(t)
		want := later.Time
		if test.policy != nil {
			server.Put(t, &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: ledger.GuardName, CreationTimestamp: *test.policy}})
		} else {
			want = time.Time{}
		}
		if test.binding != nil {
			server.Put(t, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: ledger.GuardName, CreationTimestamp: *test.binding}})
		} else {
			want = time.Time{}
		}
		if since, err := server.Admin(t).Resources().GuardedSince(t.Context()); err != nil || !since.Equal(want) {
			t.Errorf("policy %v and binding %v: %v, %v", test.policy, test.binding, since, err)
		}
	}
}

// TestRemovePolicies_WhatCannotBeRemovedIsAnErrorAndEndsIt has each of the removals forbidden in turn.
func TestRemovePolicies_WhatCannotBeRemovedIsAnErrorAndEndsIt(t *testing.T) {
	const before = 2 // for each of the policies that hold requests
	order := []string{"mutatingadmissionpolicybindings", "mutatingadmissionpolicies", "validatingadmissionpolicybindings", "validatingadmissionpolicies"}
	if len(ledger.StampNames()) != before {
		t.Fatalf("there are %q", ledger.StampNames())
	}
	for i, resource := range append(order, "") {
		server := clustertest.New(t)
		server.Put(t, &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: ledger.GuardName}},
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: ledger.GuardName}})
		var asked atomic.Int32
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			asked.Add(1)
			if r.Method != http.MethodDelete || resource == "" || !strings.Contains(r.URL.Path, "/"+resource+"/") {
				return false
			}
			clustertest.Fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
			return true
		}
		err := server.Admin(t).Resources().RemovePolicies(t.Context())
		left := slices.Concat(server.Names("validatingadmissionpolicybindings"), server.Names("validatingadmissionpolicies"))
		if resource == "" {
			if err != nil || len(left) != 0 || asked.Load() != 6 {
				t.Errorf("after %d calls %q is left: %v", asked.Load(), left, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "cannot remove the policies of the ledger") {
			t.Errorf("%s: %v", resource, err)
		}
		if want := []int{2, 2, 2, 1}[i]; len(left) != want {
			t.Errorf("%s: %q is left", resource, left)
		}
		if want := []int32{1, 2, 5, 6}[i]; asked.Load() != want {
			t.Errorf("%s: %d calls", resource, asked.Load())
		}
	}
}

func TestRecords_AnotherObjectIsNotTakenForTheOneThatWasAskedFor(t *testing.T) {
	server := clustertest.New(t)
	server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/one") {
			return false
		}
		clustertest.Respond(w, http.StatusOK, ledger.ClientCertificate{
			TypeMeta: metav1.TypeMeta{APIVersion: ledger.GroupVersion.String(), Kind: ledger.Kind}, ObjectMeta: metav1.ObjectMeta{Name: "two"},
		})
		return true
	}
	records, err := server.Admin(t).Resources().Records()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := records.Get(t.Context(), "one"); err == nil || !strings.Contains(err.Error(), `get the client certificate "one"`) || !strings.Contains(err.Error(), "another object") {
		t.Error(err)
	}
}

func TestRecords_ARecordIsDeletedOnceAndNoLaterOneOfItsName(t *testing.T) {
	server := clustertest.New(t)
	record := &ledger.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Name: "one", UID: "first"}}
	records, err := server.Admin(t).Resources().Records()
	if err != nil {
		t.Fatal(err)
	}
	if err := records.Delete(t.Context(), record); err != nil {
		t.Errorf("one that does not exist: %v", err)
	}
	server.Put(t, &ledger.ClientCertificate{ObjectMeta: metav1.ObjectMeta{Name: "one", UID: "second"}})
	if err := records.Delete(t.Context(), record); err == nil || len(server.Names(ledger.Resource)) != 1 {
		t.Errorf("another one of its name: %v", err)
	}
	record.UID = "second"
	if err := records.Delete(t.Context(), record); err != nil || len(server.Names(ledger.Resource)) != 0 {
		t.Errorf("itself: %v", err)
	}
}

// TestRecords_AWatchFromADroppedVersionIsListedAgain also has the server refuse a watch for another reason.
func TestRecords_AWatchFromADroppedVersionIsListedAgain(t *testing.T) {
	for code, reason := range map[int]metav1.StatusReason{http.StatusGone: metav1.StatusReasonExpired, http.StatusBadRequest: metav1.StatusReasonBadRequest} {
		server := clustertest.New(t)
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("watch") {
				return false
			}
			clustertest.Fail(w, code, reason)
			return true
		}
		records, err := server.Admin(t).Resources().Records()
		if err != nil {
			t.Fatal(err)
		}
		err = records.Watch(t.Context(), "1", func(resources.RecordChange) { t.Error("a change") })
		if code == http.StatusGone && err != nil || code != http.StatusGone && (err == nil || !strings.Contains(err.Error(), "watch client certificates")) {
			t.Errorf("%d: %v, %v", code, err, errors.Is(err, outcome.ErrRefused))
		}
	}
}
