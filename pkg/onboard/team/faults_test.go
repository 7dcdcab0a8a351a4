package team_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// isAt reports whether a call is of a method, to a path with this end.
func isAt(r *http.Request, method, end string) bool {
	return r.Method == method && strings.HasSuffix(r.URL.Path, end)
}

// failing answers calls of a method to a path as the API server refuses them.
func failing(method, end string, code int, reason metav1.StatusReason) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		isMeant := isAt(r, method, end)
		if isMeant {
			clustertest.Fail(w, code, reason)
		}
		return isMeant
	}
}

func wrong(method, end string) func(http.ResponseWriter, *http.Request) bool {
	return failing(method, end, http.StatusBadRequest, metav1.StatusReasonBadRequest)
}

var view = access.Grant{Role: access.Role{IsCluster: true, Name: "view"}}

// TestRun_WhatCannotBeFoundOutEndsIt has one thing at a time go wrong before anything is made.
func TestRun_WhatCannotBeFoundOutEndsIt(t *testing.T) {
	t.Parallel()
	const bindings, patch = "/clusterrolebindings", http.MethodPatch
	type faulted struct {
		w      *onboardtest.World
		in     *team.Input
		cancel context.CancelFunc
	}
	rehearsing := func(dryRun onboard.DryRun, then func(faulted)) func(faulted) {
		return func(f faulted) {
			f.in.DryRun = dryRun
			f.in.Members[1].Grants.Grants = []access.Grant{view}
			then(f)
		}
	}
	for about, test := range map[string]struct {
		prepare func(faulted)
		want    error
		says    string
		// results is the number of results, and isFailing whether a failing server is reported.
		results   int
		isFailing bool
	}{
		"the bindings cannot be read": {prepare: func(f faulted) { f.w.Server.Answer = wrong(http.MethodGet, bindings) }, says: "by the test"},
		"the bindings cannot be read in a dry run": {
			prepare: rehearsing(onboard.DryRunServer, func(f faulted) { f.w.Server.Answer = wrong(http.MethodGet, bindings) }), says: "by the test",
		},
		"a role cannot be read in a dry run": {
			prepare: rehearsing(onboard.DryRunServer, func(f faulted) { f.w.Server.Answer = wrong(http.MethodGet, "/clusterroles/view") }), says: "by the test",
		},
		"it is interrupted while a binding is tried": {
			prepare: rehearsing(onboard.DryRunServer, func(f faulted) {
				f.w.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
					if r.Method == patch && strings.Contains(r.URL.Path, bindings) {
						f.cancel()
						panic(http.ErrAbortHandler)
					}
					return false
				}
			}), want: outcome.ErrInterrupted,
		},
		"a binding is forbidden": {
			prepare: rehearsing(onboard.DryRunServer, func(f faulted) { f.w.Server.Refuse("patch", "clusterrolebindings") }),
			says:    `1 of 2 users cannot be onboarded; the first: `, results: 2,
		},
		"it is interrupted while the server is in trouble": {
			prepare: rehearsing(onboard.DryRunClient, func(f faulted) {
				f.w.Server.Answer = failing(http.MethodGet, bindings, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
				tell := f.w.Tell
				f.w.Tell = func(e event.Event) {
					tell(e)
					if _, isFailing := e.(onboard.StillFollowing); isFailing {
						f.cancel()
					}
				}
			}), want: outcome.ErrInterrupted, says: "interrupted: ", isFailing: true,
		},
		"the server is in trouble for too long": {
			prepare: func(f faulted) {
				f.w.Server.Answer = failing(http.MethodGet, bindings, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
				begin := time.Now()
				// Each look at the clock takes a minute.
				var looks atomic.Int64
				f.w.Now = func() time.Time { return begin.Add(time.Duration(looks.Add(1)) * time.Minute) }
			}, says: "by the test", isFailing: true,
		},
		"no group to give to, and no line": {
			prepare: func(f faulted) {
				f.in.Members[1].User.Groups, f.in.Members[1].Line = nil, 0
				f.in.Members[1].Grants = onboard.GrantInput{ToGroup: true, Grants: []access.Grant{view}}
			}, want: outcome.ErrUsage, says: `the user "sam": `,
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := onboardtest.New(t)
			w.Server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
			in := teamOf(t, "jane", "sam")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			test.prepare(faulted{w, &in, cancel})
			results, err := team.Run(ctx, w.Program, in)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || len(results) != test.results {
				t.Errorf("%+v, %v", results, err)
			}
			if all := w.Server.Names("certificatesigningrequests"); len(all) != 0 || in.Members[0].Directory.HasKey() && test.results == 0 {
				t.Errorf("requests %q, or a key was made", all)
			}
			if told := onboardtest.Told[onboard.StillFollowing](w); len(told) > 0 != test.isFailing {
				t.Errorf("%d troubles were told", len(told))
			}
		})
	}
}

// TestRun_ADryRunSaysOfAUserWhatIsWrongWithThem is for a user in no group who is to give something to it.
func TestRun_ADryRunSaysOfAUserWhatIsWrongWithThem(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	w.Server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
	in := teamOf(t, "jane", "sam")
	in.DryRun = onboard.DryRunServer
	in.Members[0].Grants.Grants = []access.Grant{view}
	in.Members[1].User.Groups, in.Members[1].Grants = nil, onboard.GrantInput{ToGroup: true, Grants: []access.Grant{view}}
	results, err := team.Run(t.Context(), w.Program, in)
	if err == nil || len(results) != 2 || results[0].State != team.MemberChecked || !errors.Is(results[1].Err, outcome.ErrUsage) || results[1].Wanted != nil {
		t.Errorf("%+v, %v", results, err)
	}
	// It is said once, though it is found twice.
	if results[1].Err != nil && strings.Count(results[1].Err.Error(), "no group") != 1 {
		t.Errorf("%v", results[1].Err)
	}
}

// TestRun_AServerThatCertificatesDoNotReachIsFoundFirst is for a proxy that ends TLS.
func TestRun_AServerThatCertificatesDoNotReachIsFoundFirst(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	proxy := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		clustertest.Respond(rw, http.StatusCreated, map[string]any{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "status": map[string]any{"allowed": true},
		})
	}))
	defer proxy.Close()
	endpoint := kubeconfig.Endpoint{
		Cluster: "test", Server: proxy.URL,
		CertificateAuthority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw}),
	}
	client, err := cluster.New(cluster.Target{Endpoint: endpoint, UserAgent: "test", Now: w.Now}, cluster.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	w.Cluster = client
	in := teamOf(t, "jane")
	results, err := team.Run(t.Context(), w.Program, in)
	if err == nil || results != nil || !strings.Contains(err.Error(), "client certificates do not reach the API server") || !strings.Contains(outcome.Hint(err), "--verify-login=false") || in.Members[0].Directory.HasKey() {
		t.Errorf("%+v, %v (%s)", results, err, outcome.Hint(err))
	}
}

// TestRun_AWatchThatFailsEndsTheWait is for a server that ceases to permit the watch.
func TestRun_AWatchThatFailsEndsTheWait(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	w.Server.IsUnsigned = true
	w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
		isMeant := isAt(r, http.MethodGet, "/certificatesigningrequests") && r.URL.Query().Has("watch")
		if isMeant {
			clustertest.Fail(rw, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		}
		return isMeant
	}
	results, err := team.Run(t.Context(), w.Program, teamOf(t, "jane", "sam"))
	if err == nil || !strings.Contains(err.Error(), "2 of 2 users were not onboarded") || !strings.Contains(err.Error(), "by the test") || len(results) != 2 {
		t.Errorf("%+v, %v", results, err)
	}
	told := onboardtest.Told[team.MembersNotOnboarded](w)
	if one := onboardtest.Told[team.MemberNotOnboarded](w); len(told) != 1 || len(told[0].Users)+len(one) != 2 {
		t.Errorf("%+v, %+v", told, one)
	}
}

// TestRun_ALookThatFailsIsNotRepeatedForEachUser is for a server that does not answer when it is asked
// what the watch may have missed.
func TestRun_ALookThatFailsIsNotRepeatedForEachUser(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	w.Server.IsUnsigned = true
	var looks atomic.Int32
	w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
		isMeant := r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/certificatesigningrequests/")
		if isMeant {
			looks.Add(1)
			clustertest.Fail(rw, http.StatusBadRequest, metav1.StatusReasonBadRequest)
		}
		return isMeant
	}
	in := teamOf(t, "jane", "sam", "joe")
	in.Timeout = 100 * time.Millisecond
	results, err := team.Run(t.Context(), w.Program, in)
	if !errors.Is(err, outcome.ErrTimedOut) || len(results) != 3 || looks.Load() != 1 {
		t.Errorf("%+v, %v, %d looks", results, err, looks.Load())
	}
}

// TestRun_WhoIsDecidedByOthersIsNotApproved is for what others do to a request before it is approved.
func TestRun_WhoIsDecidedByOthersIsNotApproved(t *testing.T) {
	t.Parallel()
	for about, test := range map[string]struct {
		meanwhile func(w *onboardtest.World, name string)
		want      error
	}{
		"approved by another": {func(w *onboardtest.World, name string) { w.Server.Decide(name, certificatesv1.CertificateApproved) }, nil},
		"denied by another":   {func(w *onboardtest.World, name string) { w.Server.Decide(name, certificatesv1.CertificateDenied) }, outcome.ErrChanged},
		"deleted":             {func(w *onboardtest.World, name string) { w.Server.Remove("certificatesigningrequests", "", name) }, nil},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := onboardtest.New(t)
			w.Server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
			var isDone atomic.Bool
			w.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
				if isAt(r, http.MethodPut, "/approval") && isDone.CompareAndSwap(false, true) {
					parts := strings.Split(r.URL.Path, "/")
					test.meanwhile(w, parts[len(parts)-2])
				}
				return false
			}
			in := teamOf(t, "jane")
			in.Members[0].Grants.Grants = []access.Grant{view}
			results, err := team.Run(t.Context(), w.Program, in)
			isApproved := about == "approved by another"
			if (err == nil) != isApproved || test.want != nil && !errors.Is(err, test.want) || len(results) != 1 || hasKubeconfig(in, 0) != isApproved {
				t.Errorf("%+v, %v", results, err)
			}
			if given := len(w.Server.Names("clusterrolebindings")); given == 1 != isApproved {
				t.Errorf("%d bindings", given)
			}
		})
	}
}

// TestRun_TheResultHasWhatCameOfTheRequest is for what is known of a certificate when its key is gone.
func TestRun_TheResultHasWhatCameOfTheRequest(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	in := teamOf(t, "jane", "sam")
	in.KeepObjects = true
	w.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if isAt(r, http.MethodPut, "/approval") {
			if err := os.Remove(in.Members[1].Directory.KeyPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		}
		return false
	}
	results, err := team.Run(t.Context(), w.Program, in)
	if err == nil || len(results) != 2 || results[0].State != team.MemberFetched || results[0].Object == nil || len(results[0].Object.Status.Certificate) == 0 {
		t.Fatalf("%+v, %v", results, err)
	}
	if got := results[1]; got.State != team.MemberFailed || !errors.Is(got.Err, os.ErrNotExist) || got.Request == "" || hasKubeconfig(in, 1) {
		t.Errorf("%+v", got)
	}
}
