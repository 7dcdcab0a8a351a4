package offboard_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// leaving is that the user jane leaves, to which an administrator says yes.
func leaving() offboard.Input {
	return offboard.Input{User: "jane", DryRun: onboard.DryRunNone, Confirm: func(context.Context, *offboard.Plan) error { return nil }}
}

func user(name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}
}

// binding is a binding of somebody else's making.
func binding(name, role string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}
}

// employed is a cluster on which jane has a certificate, an approved and a pending request, an own
// binding, and one with others.
func employed(t *testing.T) *onboardtest.World {
	t.Helper()
	w := onboardtest.New(t)
	w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "jane", "dev")).Name, certificatesv1.CertificateApproved)
	w.Server.IsUnsigned = true
	w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "jane", "ops")).Name, certificatesv1.CertificateApproved)
	w.Server.IsUnsigned = false
	w.Submit(t, onboardtest.Asked(t, "jane"))
	w.Submit(t, onboardtest.Asked(t, "sam"))
	view := access.Wanted{Holder: access.Holder{Name: "jane"}, Grant: access.Grant{Role: access.Role{IsCluster: true, Name: "view"}}}
	own, isBinding := view.Binding().(*rbacv1.ClusterRoleBinding)
	if !isBinding {
		t.Fatal("not a ClusterRoleBinding")
	}
	w.Server.Put(t, own, binding("shared", "edit", user("jane"), user("sam")), binding("others", "edit", user("sam")), binding("admins", "cluster-admin", user("admin")))
	return w
}

func TestOffboard_EverythingThatCanBeTakenAwayIs(t *testing.T) {
	w := employed(t)
	in := leaving()
	var shown *offboard.Plan
	in.Confirm = func(_ context.Context, plan *offboard.Plan) error { shown = plan; return nil }
	in.Block = true
	plan, err := offboard.Run(t.Context(), w.Program, in)
	if err != nil {
		t.Fatal(err)
	}
	if plan != shown || len(plan.TakeAway) != 2 || len(plan.Deny) != 1 || len(plan.Unissued) != 1 || len(plan.Alive) != 1 || len(plan.Kept) != 0 || !slices.Equal(plan.KnownGroups(), []string{"dev", "ops"}) {
		t.Errorf("%+v", plan)
	}
	if names := w.Server.Names("clusterrolebindings"); !slices.Equal(names, []string{"admins", "others", "shared"}) {
		t.Errorf("bindings: %q", names)
	}
	var shared rbacv1.ClusterRoleBinding
	if !w.Server.Find(t, "shared", &shared) || len(shared.Subjects) != 1 || shared.Subjects[0].Name != "sam" {
		t.Errorf("%+v", shared)
	}
	list, _, err := w.Cluster.Blocking().List(t.Context())
	_, isBlocked := list.Blocks(access.Blocked{User: "jane"})
	_, isOffboarded := list.Offboarded("jane")
	if err != nil || !isBlocked || !isOffboarded {
		t.Errorf("blocked %v, offboarded %v, %v", isBlocked, isOffboarded, err)
	}
	if proven := onboardtest.Told[offboard.IdentityBlocked](w); len(proven) != 1 || !proven[0].IsProven {
		t.Errorf("%+v", proven)
	}
	states := map[string]int{}
	for _, state := range w.States(t) {
		states[string(state)]++
	}
	if states["Denied"] != 1 || states["Pending"] != 1 {
		t.Errorf("%v", states)
	}
}

func TestOffboard_NothingChangesWithoutAYes(t *testing.T) {
	for about, change := range map[string]func(*offboard.Input){
		"no":                   func(in *offboard.Input) { in.Confirm = func(context.Context, *offboard.Plan) error { return errNo } },
		"a client's dry run":   func(in *offboard.Input) { in.DryRun = onboard.DryRunClient },
		"a server's dry run":   func(in *offboard.Input) { in.DryRun = onboard.DryRunServer },
		"the block of oneself": func(in *offboard.Input) { in.User = "admin" },
	} {
		w := employed(t)
		in := leaving()
		in.Block = true
		change(&in)
		states := w.States(t)
		_, err := offboard.Run(t.Context(), w.Program, in)
		if (err == nil) != (in.DryRun != onboard.DryRunNone) {
			t.Errorf("%s: %v", about, err)
		}
		if names := w.Server.Names("clusterrolebindings"); len(names) != 4 || !slices.Equal(w.States(t), states) || len(w.Server.Names("configmaps")) != 0 {
			t.Errorf("%s: bindings %q, requests %v, lists %q", about, names, w.States(t), w.Server.Names("configmaps"))
		}
	}
}

var errNo = errors.New("no")

// TestOffboard_WhatFailsDoesNotStopTheRest is for an administrator who can do a part of it.
func TestOffboard_WhatFailsDoesNotStopTheRest(t *testing.T) {
	w := employed(t)
	w.Server.Refuse("delete", "clusterrolebindings")
	plan, err := offboard.Run(t.Context(), w.Program, leaving())
	if err == nil || !strings.Contains(err.Error(), "forbidden") || len(plan.Kept) != 1 {
		t.Errorf("%v, %+v", err, plan)
	}
	if len(onboardtest.Told[offboard.NotTakenAway](w)) != 1 || len(onboardtest.Told[offboard.TakenAway](w)) != 1 || len(onboardtest.Told[offboard.RequestDenied](w)) != 1 {
		t.Error("the rest is not done, or not told")
	}
}

func TestOffboard_ARecordThatCannotBeWrittenIsTold(t *testing.T) {
	w := employed(t)
	w.Server.Refuse("create", "configmaps")
	if _, err := offboard.Run(t.Context(), w.Program, leaving()); err != nil || len(onboardtest.Told[offboard.NotRemembered](w)) != 1 {
		t.Errorf("%v", err)
	}
	in := leaving()
	in.Block = true
	if _, err := offboard.Run(t.Context(), employedWithout(t, "configmaps"), in); err == nil || !strings.Contains(outcome.Hint(err), "requires permission to create and patch validatingadmissionpolicies") {
		t.Errorf("a block that cannot be written: %v (%s)", err, outcome.Hint(err))
	}
}

func employedWithout(t *testing.T, resource string) *onboard.Program {
	t.Helper()
	w := employed(t)
	w.Server.Refuse("create", resource)
	return w.Program
}

func TestOffboard_ABlockThatIsNotInForceIsNotClaimed(t *testing.T) {
	w := employed(t)
	w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
		isProof := r.Header.Get("Impersonate-User") != ""
		if isProof {
			clustertest.Fail(rw, http.StatusForbidden, metav1.StatusReasonForbidden)
		}
		return isProof
	}
	in := leaving()
	in.Block = true
	_, err := offboard.Run(t.Context(), w.Program, in)
	if err == nil || !strings.Contains(err.Error(), "is not proven") || len(onboardtest.Told[offboard.IdentityBlocked](w)) != 0 || len(onboardtest.Told[offboard.BlockNotProven](w)) != 1 {
		t.Errorf("%v", err)
	}
}

// certificateOf is the certificate that a user's request was issued.
func certificateOf(t *testing.T, w *onboardtest.World, name string, groups ...string) *pki.Certificate {
	t.Helper()
	certificate, err := pki.ParseCertificate(w.Server.Credentials(t, name, groups...).Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestOffboard_OneCertificateIsBlockedAlone(t *testing.T) {
	w := employed(t)
	in := leaving()
	in.Block, in.Certificate, in.Source = true, certificateOf(t, w, "jane", "secret"), "jane.crt"
	plan, err := offboard.Run(t.Context(), w.Program, in)
	if err != nil || !plan.CertificateOnly || len(plan.TakeAway) != 0 || len(plan.Deny) != 0 || len(plan.Kept) != 2 {
		t.Errorf("%+v, %v", plan, err)
	}
	list, _, _ := w.Cluster.Blocking().List(t.Context())
	_, userIsBlocked := list.Blocks(access.Blocked{User: "jane"})
	details, isBlocked := list.Blocks(access.Blocked{CredentialID: access.CredentialID(in.Certificate.SHA256())})
	if userIsBlocked || !isBlocked || details.NotAfter == nil || !slices.Equal(details.Groups, []string{"secret"}) {
		t.Errorf("the user %v, the certificate %v: %+v", userIsBlocked, isBlocked, details)
	}
	for about, change := range map[string]func(){
		"the certificate of another": func() { in.User = "sam" },
		"an old API server":          func() { in.User, w.Server.Version = "jane", "v1.31.0" },
		"a strange version":          func() { w.Server.Version = "strange" },
	} {
		change()
		if _, err := offboard.Run(t.Context(), w.Program, in); err == nil {
			t.Errorf("%s is blocked", about)
		}
		w.Server.Version, in.User = "v1.35.0", "jane"
	}
}

func TestOffboard_TheLastAdministratorIsNotBlocked(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.Put(t, binding("a", "cluster-admin", user("jane")), binding("masters", "cluster-admin", rbacv1.Subject{Kind: rbacv1.GroupKind, Name: clustertest.Masters}))
	in := leaving()
	in.Block = true
	if _, err := offboard.Run(t.Context(), w.Program, in); !errors.Is(err, outcome.ErrRefused) || !strings.Contains(err.Error(), "the last cluster-admin") {
		t.Errorf("%v", err)
	}
	w.Server.Put(t, binding("b", "cluster-admin", user("sam")))
	// Another one who is revoked does not count.
	revoked := access.Entry{Blocked: access.Blocked{User: "sam"}, Details: access.Details{User: "sam", IsRevoked: true}}
	if err := w.Cluster.Blocking().Remember(t.Context(), w.Now(), false, revoked); err != nil {
		t.Fatal(err)
	}
	if _, err := offboard.Run(t.Context(), w.Program, in); !errors.Is(err, outcome.ErrRefused) {
		t.Errorf("with a revoked one: %v", err)
	}
	if _, err := w.Cluster.Blocking().Unblock(t.Context(), revoked.Blocked, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := offboard.Run(t.Context(), w.Program, in); err != nil {
		t.Errorf("%v", err)
	}
}

func TestOffboard_TheLastAdministratorKeepsTheRole(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.Put(t, binding("a", "cluster-admin", user("jane")))
	for resource, verbs := range map[string][]string{"clusterrolebindings": {"list", "patch", "delete"}, "rolebindings": {"list"}, "configmaps": {"get", "create", "patch"}, "certificatesigningrequests": {"list"}, "clusterroles": {"list"}, "roles": {"list"}} {
		for _, verb := range verbs {
			w.Server.Permit("jane", verb, resource)
			w.Server.Permit("kim", verb, resource)
		}
	}
	in := leaving()
	if _, err := offboard.Run(t.Context(), w.As(t, "jane"), in); !errors.Is(err, outcome.ErrRefused) || !strings.Contains(err.Error(), "would offboard yourself") {
		t.Errorf("oneself: %v", err)
	}
	if _, err := offboard.Run(t.Context(), w.As(t, "kim"), in); !errors.Is(err, outcome.ErrRefused) || !strings.Contains(err.Error(), "the last cluster-admin") {
		t.Errorf("the last one: %v", err)
	}
	w.Server.Put(t, binding("b", "cluster-admin", user("sam")))
	if plan, err := offboard.Run(t.Context(), w.As(t, "kim"), in); err != nil || len(plan.TakeAway) != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestOffboard_AUserWhomNothingNamesIsATypingError(t *testing.T) {
	w := onboardtest.New(t)
	if _, err := offboard.Run(t.Context(), w.Program, leaving()); !errors.Is(err, outcome.ErrNotFound) {
		t.Errorf("%v", err)
	}
	// What an earlier run has left names the user.
	if err := w.Cluster.Blocking().Remember(t.Context(), time.Now(), false, access.Entry{Details: access.Details{User: "jane", At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	if _, err := offboard.Run(t.Context(), w.Program, leaving()); err != nil {
		t.Errorf("%v", err)
	}
}

func TestOffboard_EachThatCannotBeReadEndsItFirst(t *testing.T) {
	for _, resource := range []string{"/selfsubjectreviews", "/certificatesigningrequests", "/clusterrolebindings", "/clusterroles"} {
		w := employed(t)
		w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
			isMeant := strings.HasSuffix(r.URL.Path, resource)
			if isMeant {
				clustertest.Fail(rw, http.StatusBadRequest, metav1.StatusReasonBadRequest)
			}
			return isMeant
		}
		in := leaving()
		in.Confirm = func(context.Context, *offboard.Plan) error { t.Errorf("%s: it is asked", resource); return nil }
		if _, err := offboard.Run(t.Context(), w.Program, in); err == nil {
			t.Errorf("%s: no error", resource)
		}
	}
	w := employed(t)
	w.Server.Refuse("update", "certificatesigningrequests/approval")
	if _, err := offboard.Run(t.Context(), w.Program, leaving()); err == nil || !strings.Contains(err.Error(), "you cannot approve or deny") {
		t.Errorf("%v", err)
	}
}

func TestOffboard_UnblockingOneLeavesTheOthers(t *testing.T) {
	w := employed(t)
	for _, name := range []string{"jane", "sam"} {
		in := leaving()
		in.User, in.Block = name, true
		if _, err := offboard.Run(t.Context(), w.Program, in); err != nil {
			t.Fatal(err)
		}
	}
	isBlocked := func(name string) bool {
		list, _, err := w.Cluster.Blocking().List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, is := list.Blocks(access.Blocked{User: name})
		return is
	}
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer} {
		was, err := offboard.Unblock(t.Context(), w.Program, offboard.Input{User: "jane", DryRun: dryRun})
		if err != nil || !was.WasBlocked || !was.WasOffboarded || !isBlocked("jane") {
			t.Errorf("%s: %+v, %v", dryRun, was, err)
		}
	}
	was, err := offboard.Unblock(t.Context(), w.Program, offboard.Input{User: "jane", DryRun: onboard.DryRunNone})
	if err != nil || !was.WasBlocked || isBlocked("jane") || !isBlocked("sam") {
		t.Errorf("%+v, %v, jane %v, sam %v", was, err, isBlocked("jane"), isBlocked("sam"))
	}
	if _, err := offboard.Unblock(t.Context(), w.Program, offboard.Input{User: "sam", Certificate: certificateOf(t, w, "jane"), DryRun: onboard.DryRunNone}); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("the certificate of another: %v", err)
	}
	// A revocation is not removed without waiting for the API servers.
	entry := access.Entry{Blocked: access.Blocked{User: "jane"}, Details: access.Details{User: "jane", IsRevoked: true}}
	if err := w.Cluster.Blocking().Remember(t.Context(), w.Now(), false, entry); err != nil {
		t.Fatal(err)
	}
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer, onboard.DryRunNone} {
		if _, err := offboard.Unblock(t.Context(), w.Program, offboard.Input{User: "jane", DryRun: dryRun}); !errors.Is(err, outcome.ErrRefused) || !strings.HasSuffix(outcome.Hint(err), "unrevoke jane") || !isBlocked("jane") {
			t.Errorf("%s: %v, hint %q", dryRun, err, outcome.Hint(err))
		}
	}
	w.Server.Refuse("get", "configmaps")
	if _, err := offboard.Unblock(t.Context(), w.Program, offboard.Input{User: "sam", DryRun: onboard.DryRunClient}); err == nil {
		t.Error("a list that cannot be read is no error")
	}
}

// TestOffboard_ABlockOfARevokedUserIsNotUnblocked: what was revoked is undone by unrevoke alone.
func TestOffboard_ABlockOfARevokedUserIsNotUnblocked(t *testing.T) {
	w := employed(t)
	until := w.Now().Add(72 * time.Hour)
	entry := access.Entry{Blocked: access.Blocked{User: "jane"}, Details: access.Details{User: "jane", IsRevoked: true, Until: &until, Reason: "stolen", By: "alice", At: w.Now()}}
	if err := w.Cluster.Blocking().Remember(t.Context(), w.Now(), false, entry); err != nil {
		t.Fatal(err)
	}
	in := leaving()
	in.Block = true
	if _, err := offboard.Run(t.Context(), w.Program, in); err != nil {
		t.Fatal(err)
	}
	if was, err := offboard.Unblock(t.Context(), w.Program, offboard.Input{User: "jane", DryRun: onboard.DryRunNone}); !errors.Is(err, outcome.ErrRefused) {
		t.Errorf("%+v, %v", was, err)
	}
}
