package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// namespace makes a namespace.
func (s *session) namespace(name string) {
	s.t.Helper()
	_, err := s.client().CoreV1().Namespaces().Create(s.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

// mayListPods reports whether the holder of a kubeconfig may list a namespace's pods.
func mayListPods(t *testing.T, kubeconfig, namespace string) bool {
	t.Helper()
	_, err := clientOf(t, kubeconfig).CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil && !apierrors.IsForbidden(err) {
		t.Fatal(err)
	}
	return err == nil
}

func TestGrant_AUserGetsARoleAndNothingElse(t *testing.T) {
	s := newSession(t, shared)
	s.namespace("grant-dev")
	onboard := []string{"new-user", "gina", "-g", "grant-group", "--approve", "--dir", "D", "--clusterrole", "view", "-n", "grant-dev"}
	s.must(onboard...)
	kubeconfig := s.path("D", "gina.kubeconfig")
	if !mayListPods(t, kubeconfig, "grant-dev") || mayListPods(t, kubeconfig, "default") {
		t.Error("the user may not list pods in the namespace, or may elsewhere")
	}
	bindings := func() string {
		list, err := s.client().RbacV1().RoleBindings("grant-dev").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var versions []string
		for _, binding := range list.Items {
			versions = append(versions, binding.Name+" "+binding.ResourceVersion+" "+binding.Annotations["csr-onboard.github.io/user"])
		}
		return strings.Join(versions, "\n")
	}
	before := bindings()
	if strings.Count(before, "\n") != 0 || !strings.HasSuffix(before, " gina") {
		t.Errorf("the bindings are %q", before)
	}
	s.must(onboard...)
	s.must("approve", "gina", "--yes", "--clusterrole", "view", "-n", "grant-dev")
	if again := s.must("grant", "gina", "--clusterrole", "view", "-n", "grant-dev").Stdout; !strings.HasPrefix(again, "rolebinding.rbac.authorization.k8s.io/csr-onboard-gina-") || !strings.HasSuffix(again, " unchanged\n") {
		t.Errorf("grant of what exists prints %q", again)
	}
	if after := bindings(); after != before {
		t.Errorf("running it again changed the bindings from %q to %q", before, after)
	}

	if granted := s.must("grant", "gina", "--clusterrole", "view", "--to-group").Stdout; !strings.HasSuffix(granted, " created\n") {
		t.Errorf("grant of what is new prints %q", granted)
	}
	if !mayListPods(t, kubeconfig, "default") {
		t.Error("the user's group did not get the role")
	}
	manifest := s.must("grant", "gina", "--clusterrole", "edit", "-n", "grant-dev", "--dry-run=client", "-o", "yaml")
	if !strings.Contains(manifest.Stdout, "kind: RoleBinding") || bindings() != before {
		t.Errorf("the dry run prints\n%s", manifest.Stdout)
	}
	s.shell("kubectl csr-onboard grant gina --clusterrole edit -n grant-dev --dry-run=client -o yaml | kubectl apply -f -")
	s.must("grant", "gina", "--clusterrole", "edit", "-n", "grant-dev", "--dry-run=server")
}

func TestGrant_WhatCannotBeGivenIsFoundBeforeAnythingIsApproved(t *testing.T) {
	s := newSession(t, shared)
	s.namespace("grant-found")
	printed := s.must("new-user", "gero", "--dir", "D").Stdout
	for _, test := range []struct {
		about     string
		as        *session
		arguments []string
		want      string
	}{
		{"no such ClusterRole", s, []string{"--clusterrole", "missing"}, `error: ClusterRole "missing" not found`},
		{"no such Role", s, []string{"--role", "missing", "-n", "grant-found"}, `error: the Role "missing" was not found in the namespace "grant-found"`},
		{"no such namespace", s, []string{"--clusterrole", "view", "-n", "missing"}, `namespace "missing" not found`},
		{"an administrator who may make bindings, but has not what the role gives", s.as(binder), []string{"--clusterrole", "edit", "-n", "grant-found"}, "is attempting to grant RBAC permissions not currently held"},
		{"an administrator who may make no bindings", s.as(approver), []string{"--clusterrole", "view", "-n", "grant-found"}, `error: forbidden: you cannot give ClusterRole/view in grant-found to the user "gero"`},
	} {
		t.Run(test.about, func(t *testing.T) {
			result := test.as.run(append([]string{"approve", "gero", "--yes"}, test.arguments...)...)
			test.as.check(result, expect{1, []string{test.want}})
			preview := test.as.run(append([]string{"approve", "gero", "--dry-run=client"}, test.arguments...)...)
			test.as.check(preview, expect{1, []string{test.want}})
			if state := request.StateOf(s.object(printed)); state != request.Pending {
				t.Fatalf("the request is %s", state)
			}
		})
	}
	made := s.run("new-user", "gerda", "--approve", "--clusterrole", "missing", "--dir", "D2")
	s.check(made, expect{1, []string{`ClusterRole "missing" not found`}})
	if n := countRequestsOf(s, "gerda-"); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	s.check(s.run("grant", "gustl", "--clusterrole", "view", "--to-group"), expect{4, []string{"no approved request of this user found on the cluster"}})
	s.check(s.run("approve", "gero", "--yes", "--clusterrole", "view", "--to-group"), expect{2, []string{`the user "gero" is not in any group`}})
}
