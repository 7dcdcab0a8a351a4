package team_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// teamOf are users in lines 1, 2, …, who are approved.
func teamOf(t *testing.T, names ...string) team.Input {
	t.Helper()
	in := team.Input{Signer: request.Signer, DryRun: onboard.DryRunNone, Approve: true, Timeout: time.Minute, VerifyLogin: true}
	for i, name := range names {
		in.Members = append(in.Members, team.Member{NewUserInput: onboardtest.Asked(t, name, "dev"), Line: i + 1})
	}
	return in
}

// states are what came of users, by name.
func states(results []team.Result) map[string]team.MemberState {
	all := map[string]team.MemberState{}
	for _, result := range results {
		all[result.User.Name] = result.State
	}
	return all
}

func hasKubeconfig(in team.Input, place int) bool {
	_, err := os.Stat(in.Members[place].Directory.KubeconfigPath())
	return err == nil
}

func TestRun_EveryUserIsOnboardedOnce(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.Put(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "extension-apiserver-authentication"},
		Data:       map[string]string{"client-ca-file": string(w.Server.Endpoint.CertificateAuthority)},
	})
	in := teamOf(t, "jane", "sam", "joe")
	in.Members[0].Grants = onboard.GrantInput{Grants: []access.Grant{access.RenewableGrant}}
	results, err := team.Run(t.Context(), w.Program, in)
	if err != nil || len(results) != 3 || len(w.Server.Names("clusterrolebindings")) != 1 {
		t.Fatalf("%+v, %v", results, err)
	}
	loggedIn := 0
	for place, result := range results {
		if result.State != team.MemberFetched || result.Line != place+1 || !hasKubeconfig(in, place) || result.NotAfter.IsZero() {
			t.Errorf("%+v", result)
		}
		if result.LoggedIn {
			loggedIn++
		}
	}
	if proven := onboardtest.Told[team.CertificatesProven](w); loggedIn == 0 || len(proven) != 1 {
		t.Errorf("%d logged in, proven: %+v", loggedIn, proven)
	}
	again, err := team.Run(t.Context(), w.Program, in)
	if err != nil || !slices.Equal([]team.MemberState{again[0].State, again[1].State, again[2].State}, []team.MemberState{team.MemberComplete, team.MemberComplete, team.MemberComplete}) {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestRun_WithoutAnApprovalRequestsAreSubmittedAndFound(t *testing.T) {
	w := onboardtest.New(t)
	in := teamOf(t, "jane")
	in.Approve, in.KeepObjects = false, true
	for _, want := range []team.MemberState{team.MemberSubmitted, team.MemberFound} {
		results, err := team.Run(t.Context(), w.Program, in)
		if err != nil || results[0].State != want || results[0].Object == nil || results[0].Path != in.Members[0].Directory.RequestPath() {
			t.Errorf("%+v, %v, want %s", results, err, want)
		}
	}
}

// TestRun_ARequestThatAsksForAnotherLifetimeIsNotApproved is for a pending request of an earlier run.
func TestRun_ARequestThatAsksForAnotherLifetimeIsNotApproved(t *testing.T) {
	w := onboardtest.New(t)
	in := teamOf(t, "jane", "sam")
	in.Members[0].Lifetime = 365 * 24 * time.Hour
	if _, _, err := w.NewUser(t.Context(), in.Members[0].NewUserInput); err != nil {
		t.Fatal(err)
	}
	in.Members[0].Lifetime, in.Members[0].LifetimeSource = time.Hour, "the file"
	results, err := team.Run(t.Context(), w.Program, in)
	if err == nil || len(results) != 2 || results[1].State != team.MemberFetched {
		t.Fatalf("%+v, %v", results, err)
	}
	if got := results[0].Err; !errors.Is(got, outcome.ErrChanged) || !strings.Contains(got.Error(), "asks for 365d, not for the 1h of the file") || hasKubeconfig(in, 0) {
		t.Errorf("%v", got)
	}
}

// TestRun_OneUsersFailureIsOnlyTheirs is for what happens to requests while they are waited for.
func TestRun_OneUsersFailureIsOnlyTheirs(t *testing.T) {
	w := onboardtest.New(t)
	in := teamOf(t, "jane", "denied", "deleted", "replaced", "blocked")
	in.Approve, in.Fetch = false, true
	if err := os.WriteFile(in.Members[4].Directory.KubeconfigPath(), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	submitted := map[string]*request.Request{}
	var decided atomic.Int32
	w.Server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/certificatesigningrequests") || !r.URL.Query().Has("watch") {
			return false
		}
		if decided.Add(1) != 1 {
			return false
		}
		go decide(t, w, submitted)
		return false
	}
	results, err := team.Run(t.Context(), w.Program, in)
	if err == nil || !strings.Contains(err.Error(), "4 of 5 users were not onboarded") {
		t.Errorf("%v", err)
	}
	wanted := map[string]error{"denied": outcome.ErrRejected, "deleted": outcome.ErrNotFound, "replaced": outcome.ErrChanged, "blocked": nil}
	for place, result := range results {
		want, fails := wanted[result.User.Name]
		if !fails {
			if result.State != team.MemberFetched || !hasKubeconfig(in, place) {
				t.Errorf("%+v", result)
			}
			continue
		}
		if result.State != team.MemberFailed || result.Err == nil || want != nil && !errors.Is(result.Err, want) {
			t.Errorf("%s: %v, want %v", result.User.Name, result.Err, want)
		}
	}
	if told := onboardtest.Told[team.MemberNotOnboarded](w); len(told) != 4 {
		t.Errorf("%d failures were told", len(told))
	}
}

// decide waits for the requests of all users but one, and has a thing happen to each.
func decide(t *testing.T, w *onboardtest.World, submitted map[string]*request.Request) {
	for len(submitted) < 4 {
		for _, name := range w.Server.Names("certificatesigningrequests") {
			object, err := w.Cluster.Requests().Get(context.WithoutCancel(t.Context()), name)
			if err != nil {
				continue
			}
			submitted[request.ReviewOf(object).User.Name] = object
		}
	}
	w.Server.Decide(submitted["denied"].Name, certificatesv1.CertificateDenied)
	w.Server.Remove("certificatesigningrequests", "", submitted["deleted"].Name)
	again := submitted["replaced"].DeepCopy()
	// A watch may miss that it was deleted.
	again.UID = ""
	w.Server.Put(t, again)
	w.Server.Decide(submitted["jane"].Name, certificatesv1.CertificateApproved)
}

func TestRun_WhatNobodyMayDoEndsItFirst(t *testing.T) {
	admins := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "a"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"}, Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, Name: "dev"}}}
	everything := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "cluster-admin"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}}
	missing := []access.Grant{{Role: access.Role{IsCluster: true, Name: "no"}}}
	for about, test := range map[string]struct {
		prepare func(*testing.T, *onboardtest.World, *team.Input)
		says    string
	}{
		"submitting is forbidden": {func(_ *testing.T, w *onboardtest.World, _ *team.Input) {
			w.Server.Refuse("create", "certificatesigningrequests")
		}, "you cannot create certificate signing requests"},
		"approving is forbidden": {func(_ *testing.T, w *onboardtest.World, _ *team.Input) {
			w.Server.Refuse("update", "certificatesigningrequests/approval")
		}, "you cannot approve"},
		"a role that nobody finds": {func(_ *testing.T, _ *onboardtest.World, in *team.Input) {
			in.Members[0].Grants.Grants, in.Members[1].Grants.Grants = missing, missing
		}, `2 of 2 users were not onboarded; the first: ClusterRole "no" not found`},
		"no group to give to": {func(_ *testing.T, _ *onboardtest.World, in *team.Input) {
			in.Members[1].User.Groups, in.Members[1].Grants = nil, onboard.GrantInput{ToGroup: true, Grants: missing}
		}, `the user "sam" in line 2`},
		"watching is forbidden": {func(_ *testing.T, w *onboardtest.World, _ *team.Input) {
			w.Server.Refuse("list", "certificatesigningrequests")
		}, ""},
		"a group of administrators": {func(t *testing.T, w *onboardtest.World, _ *team.Input) {
			t.Helper()
			w.Server.Put(t, admins, everything)
		}, "2 of 2 users were not onboarded"},
		"a user who left": {func(t *testing.T, w *onboardtest.World, in *team.Input) {
			t.Helper()
			in.Members = in.Members[:1]
			if err := w.Cluster.Blocking().Remember(t.Context(), w.Now(), false, access.Entry{Details: access.Details{User: "jane", At: w.Now()}}); err != nil {
				t.Fatal(err)
			}
		}, request.UserOffboarded},
	} {
		t.Run(about, func(t *testing.T) {
			w := onboardtest.New(t)
			in := teamOf(t, "jane", "sam")
			test.prepare(t, w, &in)
			_, err := team.Run(t.Context(), w.Program, in)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
			if all := w.Server.Names("certificatesigningrequests"); len(all) != 0 {
				t.Errorf("there are requests: %q", all)
			}
		})
	}
}

func TestRun_AUserWhoComesBackIsAllowedByTheFile(t *testing.T) {
	w := onboardtest.New(t)
	if err := w.Cluster.Blocking().Remember(t.Context(), w.Now(), false, access.Entry{Details: access.Details{User: "jane", At: w.Now()}}); err != nil {
		t.Fatal(err)
	}
	in := teamOf(t, "jane")
	in.Members[0].Allow = []string{request.UserOffboarded}
	if results, err := team.Run(t.Context(), w.Program, in); err != nil || results[0].State != team.MemberFetched {
		t.Errorf("%+v, %v", results, err)
	}
}

func TestRun_ADryRunChangesNothingAndTellsAll(t *testing.T) {
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer} {
		w := onboardtest.New(t)
		w.Server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
		in := teamOf(t, "jane", "sam")
		in.DryRun = dryRun
		view := access.Grant{Role: access.Role{IsCluster: true, Name: "view"}}
		in.Members[0].Grants.Grants = []access.Grant{view}
		in.Members[1].Grants.Grants = []access.Grant{view, {Role: access.Role{Name: "no"}, Namespace: "nowhere"}}
		results, err := team.Run(t.Context(), w.Program, in)
		if err == nil || !strings.Contains(err.Error(), "1 of 2 users cannot be onboarded") || len(results) != 2 || len(w.Server.Names("certificatesigningrequests")) != 0 || len(w.Server.Names("clusterrolebindings")) != 0 {
			t.Errorf("%s: %+v, %v", dryRun, results, err)
			continue
		}
		want := map[onboard.DryRun]team.MemberState{onboard.DryRunClient: team.MemberMade, onboard.DryRunServer: team.MemberChecked}[dryRun]
		if got := states(results); got["jane"] != want || got["sam"] != team.MemberFailed || len(results[0].Wanted) != 1 {
			t.Errorf("%s: %v", dryRun, got)
		}
		if text := results[1].Err.Error(); !strings.Contains(text, `the Role "no" was not found`) || !strings.Contains(text, `namespace "nowhere" not found`) {
			t.Errorf("%s: %s", dryRun, text)
		}
	}
	w := onboardtest.New(t)
	w.Server.Refuse("update", "certificatesigningrequests/approval")
	in := teamOf(t, "jane")
	in.DryRun = onboard.DryRunServer
	if _, err := team.Run(t.Context(), w.Program, in); err == nil || !strings.Contains(err.Error(), "you cannot approve") {
		t.Errorf("%v", err)
	}
	offline := *w.Program
	offline.Cluster = nil
	in = teamOf(t, "jane")
	in.DryRun = onboard.DryRunClient
	if results, err := team.Run(t.Context(), &offline, in); err != nil || results[0].State != team.MemberMade || len(onboardtest.Told[team.RolesUnchecked](w)) != 1 {
		t.Errorf("%+v, %v", results, err)
	}
}

func TestRun_AnInterruptionLeavesTheRestForLater(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.IsUnsigned = true
	in := teamOf(t, "jane", "sam")
	ctx, cancel := context.WithCancel(t.Context())
	tell := w.Tell
	w.Tell = func(e event.Event) {
		tell(e)
		if progress, isProgress := e.(onboard.Progress); isProgress && progress.Total == 2 {
			cancel()
		}
	}
	results, err := team.Run(ctx, w.Program, in)
	if !errors.Is(err, outcome.ErrInterrupted) || !strings.Contains(outcome.Hint(err), "run the same command again") || states(results)["jane"] != team.MemberFailed {
		t.Errorf("%+v, %v", results, err)
	}
	w.Server.IsUnsigned = false
}

func TestRun_ASignerThatDoesNotAnswerEndsTheWait(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.IsUnsigned = true
	in := teamOf(t, "jane")
	in.Timeout = 100 * time.Millisecond
	results, err := team.Run(t.Context(), w.Program, in)
	if !errors.Is(err, outcome.ErrTimedOut) || !strings.Contains(outcome.Hint(err), "doctor --probe") || results[0].Request == "" {
		t.Errorf("%+v, %v (%s)", results, err, outcome.Hint(err))
	}
}

func TestRun_AServerThatIsOverloadedIsWaitedFor(t *testing.T) {
	w := onboardtest.New(t)
	var failed atomic.Int32
	w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
		isMeant := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/certificatesigningrequests") && failed.Add(1) <= 2
		if isMeant {
			clustertest.Fail(rw, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
		}
		return isMeant
	}
	results, err := team.Run(t.Context(), w.Program, teamOf(t, "jane"))
	if err != nil || results[0].State != team.MemberFetched || len(onboardtest.Told[onboard.StillFollowing](w)) != 1 {
		t.Errorf("%+v, %v", results, err)
	}
}
