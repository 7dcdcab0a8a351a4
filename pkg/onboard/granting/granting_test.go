package granting_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/granting"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

var (
	view = access.Grant{Role: access.Role{IsCluster: true, Name: "view"}, Namespace: "dev"}
	jane = identity.User{Name: "jane"}
)

// withRole is a cluster with the ClusterRole view and the namespace dev.
func withRole(t *testing.T) *onboardtest.World {
	t.Helper()
	w := onboardtest.New(t)
	w.Server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "dev"}})
	return w
}

func giving(grants ...access.Grant) onboard.GrantInput { return onboard.GrantInput{Grants: grants} }

func TestGranting_AGrantIsABindingOnce(t *testing.T) {
	w := withRole(t)
	for round := range 2 {
		applied, err := granting.Run(t.Context(), w.Program, jane, giving(view, access.RenewableGrant), onboard.DryRunNone)
		if err != nil || len(applied) != 3 {
			t.Fatalf("%v, %v", applied, err)
		}
		for _, one := range applied {
			if want := []granting.Result{granting.Created, granting.Unchanged}[round]; one.Result != want {
				t.Errorf("in run %d, %T is %s", round+1, one.Object, one.Result)
			}
		}
	}
	var binding rbacv1.RoleBinding
	binding.Namespace = "dev"
	names := w.Server.Names("rolebindings")
	if len(names) != 1 || len(w.Server.Names("clusterrolebindings")) != 1 || !w.Server.Find(t, names[0], &binding) {
		t.Fatalf("%q", names)
	}
	if len(binding.Subjects) != 1 || binding.Subjects[0].Name != "jane" || binding.RoleRef.Name != "view" || binding.Annotations[access.UserAnnotation] != "jane" {
		t.Errorf("%+v", binding)
	}
	if unknown := onboardtest.Told[granting.UserUnknown](w); len(unknown) != 1 || unknown[0].Name != "jane" {
		t.Errorf("the first run does not know the user, and the second does: %+v", unknown)
	}
}

func TestGranting_ADryRunGivesNothing(t *testing.T) {
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer} {
		w := withRole(t)
		wanted, err := granting.Run(t.Context(), w.Program, jane, giving(view), dryRun)
		if err != nil || len(wanted) != 1 || len(w.Server.Names("rolebindings")) != 0 {
			t.Errorf("%s: %v, %v, %q", dryRun, wanted, err, w.Server.Names("rolebindings"))
		}
	}
}

// holderOf is who a binding of csr-onboard's gives to.
func holderOf(object runtime.Object) access.Holder {
	var subjects []rbacv1.Subject
	switch binding := object.(type) {
	case *rbacv1.ClusterRoleBinding:
		subjects = binding.Subjects
	case *rbacv1.RoleBinding:
		subjects = binding.Subjects
	}
	if len(subjects) != 1 {
		return access.Holder{}
	}
	return access.Holder{IsGroup: subjects[0].Kind == rbacv1.GroupKind, Name: subjects[0].Name}
}

func TestGranting_AGroupIsTheUsersFirstOrTheOneThatIsNamed(t *testing.T) {
	w := withRole(t)
	in := giving(access.RenewableGrant)
	in.ToGroup = true
	if _, err := granting.Run(t.Context(), w.Program, jane, in, onboard.DryRunNone); !errors.Is(err, outcome.ErrNotFound) {
		t.Errorf("a user of whom no request is known: %v", err)
	}
	w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "jane", "ops", "dev")).Name, certificatesv1.CertificateApproved)
	w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "jane", "qa")).Name, certificatesv1.CertificateDenied)
	w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "sam", "qa")).Name, certificatesv1.CertificateApproved)
	wanted, err := granting.Run(t.Context(), w.Program, jane, in, onboard.DryRunNone)
	// The role is an object as well.
	if want := (access.Holder{IsGroup: true, Name: "ops"}); err != nil || len(wanted) != 2 || holderOf(wanted[1].Object) != want {
		t.Errorf("%v, %v", wanted, err)
	}
	named := giving(view)
	named.Group = "qa"
	wanted, err = granting.Run(t.Context(), w.Program, identity.User{}, named, onboard.DryRunNone)
	if want := (access.Holder{IsGroup: true, Name: "qa"}); err != nil || holderOf(wanted[0].Object) != want {
		t.Errorf("%v, %v", wanted, err)
	}
}

func TestGranting_WhatIsRefusedGivesNothing(t *testing.T) {
	leaves := func(t *testing.T, w *onboardtest.World) {
		t.Helper()
		if err := w.Cluster.Blocking().Remember(t.Context(), w.Now(), false, access.Entry{Details: access.Details{User: "jane", By: "sam", At: w.Now()}}); err != nil {
			t.Fatal(err)
		}
	}
	for about, test := range map[string]struct {
		prepare func(*testing.T, *onboardtest.World)
		in      onboard.GrantInput
		want    error
		says    string
	}{
		"a role that does not exist":          {nil, giving(access.Grant{Role: access.Role{IsCluster: true, Name: "no"}}), nil, `ClusterRole "no" not found`},
		"a role that is not in the namespace": {nil, giving(access.Grant{Role: access.Role{Name: "no"}, Namespace: "dev"}), nil, `the Role "no" was not found in the namespace "dev"`},
		"binding is forbidden":                {func(_ *testing.T, w *onboardtest.World) { w.Server.Refuse("patch", "rolebindings") }, giving(view), nil, "forbidden: you cannot give"},
		"a user who left":                     {leaves, giving(view), outcome.ErrRefused, request.UserOffboarded},
		"a list that fails": {func(_ *testing.T, w *onboardtest.World) {
			w.Server.Refuse("list", "clusterrolebindings")
			w.Server.Refuse("patch", "rolebindings")
		}, giving(view), nil, "forbidden"},
	} {
		w := withRole(t)
		if test.prepare != nil {
			test.prepare(t, w)
		}
		_, err := granting.Run(t.Context(), w.Program, jane, test.in, onboard.DryRunNone)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", about, err, test.says)
		}
		if names := slices.Concat(w.Server.Names("rolebindings"), w.Server.Names("clusterrolebindings")); len(names) != 0 {
			t.Errorf("%s: %q", about, names)
		}
	}
	w := withRole(t)
	w.Server.Refuse("patch", "rolebindings")
	if _, err := granting.Run(t.Context(), w.Program, jane, giving(view), onboard.DryRunNone); !strings.Contains(outcome.Hint(err), "permission to create and patch role bindings") {
		t.Errorf("the hint of what is forbidden is %q", outcome.Hint(err))
	}
	w = withRole(t)
	leaves(t, w)
	in := giving(view)
	in.Allow = []string{request.UserOffboarded}
	if _, err := granting.Run(t.Context(), w.Program, jane, in, onboard.DryRunNone); err != nil || len(onboardtest.Told[onboard.FindingWarned](w)) != 1 {
		t.Errorf("a user who comes back: %v", err)
	}
}
