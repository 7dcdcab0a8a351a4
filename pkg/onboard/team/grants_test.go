package team_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// TestRun_WhatIsMissingForOneUserDoesNotStopTheOthers is for roles and namespaces that do not exist, and
// for roles that the administrator cannot bind.
func TestRun_WhatIsMissingForOneUserDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	w.Server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "here"}})
	missing := access.Grant{Role: access.Role{IsCluster: true, Name: "viewww"}}
	missingToo := access.Grant{Role: access.Role{Name: "reader"}, Namespace: "here"}
	in := teamOf(t, "jane", "z2", "sam", "z3", "z4")
	in.Members[0].Grants.Grants = []access.Grant{view}
	in.Members[1].Grants.Grants = []access.Grant{view, missing}
	in.Members[3].Grants.Grants = []access.Grant{missing, missingToo}
	in.Members[4].Grants.Grants = []access.Grant{{Role: view.Role, Namespace: "here"}}
	w.Server.Refuse("patch", "rolebindings")
	results, err := team.Run(t.Context(), w.Program, in)
	if err == nil || !strings.Contains(err.Error(), `3 of 5 users were not onboarded; the first: ClusterRole "viewww" not found`) {
		t.Errorf("%v", err)
	}
	wanted := map[string]string{
		"z2": `ClusterRole "viewww" not found`,
		"z3": `ClusterRole "viewww" not found; the Role "reader" was not found in the namespace "here"`,
		"z4": "forbidden",
	}
	for place, result := range results {
		want, fails := wanted[result.User.Name]
		switch {
		case !fails && (result.State != team.MemberFetched || !hasKubeconfig(in, place)):
			t.Errorf("%+v", result)
		case fails && (result.State != team.MemberFailed || result.Line != place+1 || result.Err == nil || !strings.Contains(result.Err.Error(), want) || in.Members[place].Directory.HasKey()):
			t.Errorf("%+v, want %q", result, want)
		}
	}
	if told := onboardtest.Told[team.MemberNotOnboarded](w); len(told) != 3 {
		t.Errorf("%+v", told)
	}
	if all := w.Server.Names("certificatesigningrequests"); len(all) != 2 || slices.ContainsFunc(all, func(name string) bool { return strings.HasPrefix(name, "z") }) {
		t.Errorf("requests: %q", all)
	}
	if all := w.Server.Names("clusterrolebindings"); len(all) != 1 {
		t.Errorf("bindings: %q", all)
	}
}

// TestRun_AServerThatFailsWhileRolesAreLookedForEndsIt is for what says nothing of a role.
func TestRun_AServerThatFailsWhileRolesAreLookedForEndsIt(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	in := teamOf(t, "jane", "sam")
	in.Members[1].Grants.Grants = []access.Grant{view}
	w.Server.Answer = failing(http.MethodGet, "/clusterroles/view", http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable)
	begin := time.Now()
	// Each look at the clock takes a minute.
	var looks atomic.Int64
	w.Now = func() time.Time { return begin.Add(time.Duration(looks.Add(1)) * time.Minute) }
	results, err := team.Run(t.Context(), w.Program, in)
	if err == nil || errors.Is(err, outcome.ErrUsage) || results != nil || len(w.Server.Names("certificatesigningrequests")) != 0 {
		t.Errorf("%+v, %v", results, err)
	}
}
