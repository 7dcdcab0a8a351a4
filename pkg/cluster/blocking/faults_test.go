package blocking_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
)

func jane() access.Entry {
	return access.Entry{Blocked: access.Blocked{User: "jane"}, Details: access.Details{User: "jane"}}
}

// TestRevoke_AListThatAlwaysChangesIsAnErrorAfterSomeAttempts has each write meet a change of somebody else.
func TestRevoke_AListThatAlwaysChangesIsAnErrorAfterSomeAttempts(t *testing.T) {
	for about, test := range map[string]struct {
		isThere bool
		method  string
		reason  metav1.StatusReason
	}{
		"changed": {true, http.MethodPatch, metav1.StatusReasonConflict},
		"created": {false, http.MethodPost, metav1.StatusReasonAlreadyExists},
	} {
		for _, passes := range []int32{0, 3} {
			server := clustertest.New(t)
			if test.isThere {
				server.Put(t, access.BlockList())
			}
			var writes atomic.Int32
			server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != test.method || !strings.Contains(r.URL.Path, "/configmaps") {
					return false
				}
				if n := writes.Add(1); passes > 0 && n >= passes {
					return false
				}
				clustertest.Fail(w, http.StatusConflict, test.reason)
				return true
			}
			client := server.Admin(t).Blocking()
			err := client.Revoke(t.Context(), time.Now(), false, jane().Blocked, func(access.List) (access.Entry, error) { return jane(), nil })
			list, unread, listErr := client.List(t.Context())
			_, isBlocked := list.Blocks(access.Blocked{User: "jane"})
			if unread != "" || listErr != nil || isBlocked != (passes > 0) {
				t.Errorf("%s: the list blocks jane: %v, %q, %v", about, isBlocked, unread, listErr)
			}
			if passes > 0 {
				if err != nil || writes.Load() != passes {
					t.Errorf("%s: after %d writes: %v", about, writes.Load(), err)
				}
				continue
			}
			outcometest.Says(t, about, err, "could not revoke", "by the test")
			if got := writes.Load(); got < 2 || got > 20 {
				t.Errorf("%s: %d writes", about, got)
			}
		}
	}
}

func TestCheckKnowsCertificates_AServerThatDoesNotSayItsReleaseIsRefused(t *testing.T) {
	for version, wanted := range map[string][]string{
		"v1.32.0": nil, "v1.35.1+k3s1": nil,
		"v1.31.9": {"cannot block one certificate", "v1.31.9", "1.32 or later"},
		"later":   {"cannot block one certificate", `"later" cannot be read`},
	} {
		server := clustertest.New(t)
		server.Version = version
		err := server.Admin(t).Blocking().CheckKnowsCertificates(t.Context())
		if wanted != nil {
			outcometest.Says(t, version, err, wanted...)
		} else if err != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
	server := clustertest.New(t)
	server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/version" {
			return false
		}
		clustertest.Fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		return true
	}
	outcometest.Says(t, "a server that does not answer", server.Admin(t).Blocking().CheckKnowsCertificates(t.Context()), "could not ask for the server's version")
}

// TestProveBlocked_WhatIsNoRefusalOfThePolicyIsNoProof has a probe fail in each other way.
func TestProveBlocked_WhatIsNoRefusalOfThePolicyIsNoProof(t *testing.T) {
	for about, test := range map[string]struct {
		user   string
		code   int
		reason metav1.StatusReason
		// step is how much time each probe takes.
		step   time.Duration
		says   []string
		probes int32
	}{
		"a name with a line feed":    {"ja\nne", http.StatusCreated, "", 0, []string{"cannot be sent in a header", "try a write as the user"}, 0},
		"a name that ends in spaces": {"jane ", http.StatusCreated, "", 0, []string{"cannot be sent in a header"}, 0},
		"a forbidden impersonation":  {"jane", http.StatusForbidden, metav1.StatusReasonForbidden, 0, []string{"is not proven", "permission to impersonate"}, 1},
		"a mistake":                  {"jane", http.StatusBadRequest, metav1.StatusReasonBadRequest, 0, []string{"is not proven", "by the test", "run the same command again"}, 1},
		"a server that is broken":    {"jane", http.StatusInternalServerError, metav1.StatusReasonInternalError, 8 * time.Second, []string{"is not proven", "by the test", "run the same command again"}, 2},
		"writes that are accepted":   {"jane", http.StatusCreated, "", 8 * time.Second, []string{"still accepted", "ValidatingAdmissionPolicy"}, 2},
	} {
		server := clustertest.New(t)
		var probes atomic.Int32
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || r.Header.Get("Impersonate-User") == "" {
				return false
			}
			probes.Add(1)
			if got := r.URL.Query().Get("dryRun"); got != metav1.DryRunAll || r.Header.Get("Impersonate-User") != test.user {
				t.Errorf("%s: a probe as %q with dryRun %q", about, r.Header.Get("Impersonate-User"), got)
			}
			if test.code != http.StatusCreated {
				clustertest.Fail(w, test.code, test.reason)
				return true
			}
			clustertest.Respond(w, test.code, corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}})
			return true
		}
		begin := time.Now()
		server.Now = func() time.Time { return begin.Add(time.Duration(probes.Load()) * test.step) }
		client := server.Admin(t)
		// A proof that is never given up would take as long as all tests may.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		outcometest.Says(t, about, client.Blocking().ProveBlocked(ctx, access.Blocked{User: test.user}, test.user), test.says...)
		cancel()
		if got := probes.Load(); got != test.probes {
			t.Errorf("%s: %d probes", about, got)
		}
		if stored := server.Names("configmaps"); len(stored) > 0 {
			t.Errorf("%s: %q is stored", about, stored)
		}
	}
}

func TestProveBlocked_ItEndsWithItsContext(t *testing.T) {
	server := clustertest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		cancel()
		clustertest.Fail(w, http.StatusInternalServerError, metav1.StatusReasonInternalError)
		return true
	}
	if err := server.Admin(t).Blocking().ProveBlocked(ctx, access.Blocked{User: "jane"}, "jane"); !errors.Is(err, outcome.ErrInterrupted) {
		t.Error(err)
	}
}
