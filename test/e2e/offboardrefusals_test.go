package e2e

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
)

// Offboarding takes away what was shown, of one user, and nothing else.

func TestOffboardRefusals_ABlockIsOfOneUserAndSoIsItsEnd(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	admin := s.client()
	blocked := func(about string, want ...string) {
		t.Helper()
		for _, user := range []string{"anna", "bert", "cleo"} {
			is := slices.Contains(want, user)
			s.until(about+": "+user+" is as wanted", func() bool { return isRefusedByBlockAs(t, admin, user) == is })
		}
		// Nor does it change by itself.
		for _, user := range want {
			if !isRefusedByBlockAs(t, admin, user) {
				t.Errorf("%s: %s writes", about, user)
			}
		}
	}
	blocked("before")
	s.must("offboard", "anna", "--block", "--yes")
	blocked("one", "anna")
	s.must("offboard", "bert", "--block", "--yes")
	blocked("two", "anna", "bert")
	for _, dryRun := range []string{"client", "server"} {
		if said := s.must("offboard", "anna", "--unblock", "--dry-run="+dryRun); !strings.Contains(said.Stdout, "anna unblocked (") || !strings.Contains(said.Stdout, "dry run") {
			t.Errorf("a dry run prints %q", said.Stdout)
		}
		blocked("a dry run of the end", "anna", "bert")
	}
	s.must("offboard", "cleo", "--block", "--dry-run=server", "--yes")
	blocked("a dry run of a block", "anna", "bert")
	s.must("offboard", "anna", "--unblock")
	blocked("one of two unblocked", "bert")
	s.must("offboard", "cleo", "--block", "--yes")
	blocked("another one blocked", "bert", "cleo")
	s.must("offboard", "bert", "--unblock")
	s.must("offboard", "cleo", "--unblock")
	blocked("all unblocked")
}

// TestOffboardRefusals_EveryWriteNamesItsManager looks at what is sent.
func TestOffboardRefusals_EveryWriteNamesItsManager(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	var mu sync.Mutex
	var unnamed []string
	s.behindFront(&hostile.Rule{When: func(call *http.Request) bool {
		isWrite := call.Method == http.MethodPatch || call.Method == http.MethodPost
		if isWrite && !strings.Contains(call.URL.Path, "self") && call.URL.Query().Get("fieldManager") != access.ManagedByValue {
			mu.Lock()
			defer mu.Unlock()
			unnamed = append(unnamed, call.Method+" "+call.URL.String())
		}
		return false
	}})
	s.must("grant", "managed", "--clusterrole", "view")
	s.must("offboard", "managed", "--block", "--yes")
	s.must("offboard", "managed", "--unblock")
	mu.Lock()
	defer mu.Unlock()
	if len(unnamed) > 0 {
		t.Errorf("sent without a manager of fields:\n%s", strings.Join(unnamed, "\n"))
	}
}

// byHand creates a binding of the role view that an administrator made by hand.
func byHand(s *session, name string, subjects ...rbacv1.Subject) {
	s.t.Helper()
	_, err := s.client().RbacV1().ClusterRoleBindings().Create(s.t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kept": "yes"}, Annotations: map[string]string{"note": "ours"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   subjects,
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) binding(name string) *rbacv1.ClusterRoleBinding {
	s.t.Helper()
	binding, err := s.client().RbacV1().ClusterRoleBindings().Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return binding
}

func TestOffboardRefusals_ABindingThatSomebodyElseMadeIsEmptiedAndStays(t *testing.T) {
	s := newSession(t, shared)
	byHand(s, "hand-alone", user("ob-hand"))
	said := s.must("offboard", "ob-hand", "--yes")
	if !strings.Contains(said.Stderr, "hand-alone") {
		t.Errorf("it is not said:\n%s", said.Stderr)
	}
	left := s.binding("hand-alone")
	if len(left.Subjects) != 0 || left.Labels["kept"] != "yes" || left.Annotations["note"] != "ours" || left.RoleRef.Name != "view" {
		t.Errorf("the binding is %+v", left)
	}
}

func TestOffboardRefusals_WhatFailsDoesNotStopTheRest(t *testing.T) {
	s := newSession(t, shared)
	const leaving = "ob-partly"
	byHand(s, "partly-1", user(leaving), user("bob"))
	byHand(s, "partly-2", user(leaving), user("bob"))
	byHand(s, "partly-3", user(leaving), user("bob"))
	create(t, s, "partly-pending", identity.User{Name: leaving})
	create(t, s, "partly-stuck", identity.User{Name: leaving})
	forbidden := hostile.Status(http.StatusForbidden, metav1.StatusReasonForbidden, "not permitted to change it")
	admin := s.admin()
	s.behindFront(
		&hostile.Rule{Method: http.MethodPatch, Path: "/partly-2", Do: forbidden},
		&hostile.Rule{Method: http.MethodPut, Path: "/partly-stuck/approval", Do: forbidden},
	)
	result := s.run("offboard", leaving, "--yes")
	s.check(result, expect{1, []string{
		"forbidden: you cannot deny the certificate signing request \"partly-stuck\"", "(clusterrolebinding.rbac.authorization.k8s.io/partly-2)",
	}})
	for name, stays := range map[string]bool{"partly-1": false, "partly-2": true, "partly-3": false} {
		if is := slices.Contains(admin.binding(name).Subjects, user(leaving)); is != stays {
			t.Errorf("the user is in %s: %v", name, is)
		}
		if !slices.Contains(admin.binding(name).Subjects, user("bob")) {
			t.Errorf("somebody else was taken out of %s", name)
		}
	}
	if state := request.StateOf(admin.object("x/partly-pending")); state != request.Denied {
		t.Errorf("the other request is %s", state)
	}
	// What stays is part of what is said to remain.
	if !strings.Contains(result.Stdout, "partly-2") || strings.Contains(result.Stdout, "partly-1") {
		t.Errorf("what remains is\n%s", result.Stdout)
	}
	admin.must("offboard", leaving, "--yes")
	if slices.Contains(admin.binding("partly-2").Subjects, user(leaving)) {
		t.Error("the next run does not take the rest away")
	}
}

func TestOffboardRefusals_ANoTakesNothingAway(t *testing.T) {
	s := newSession(t, shared)
	byHand(s, "no-binding", user("ob-no"), user("bob"))
	create(t, s, "no-pending", identity.User{Name: "ob-no"})
	const no = `nothing was removed from the user "ob-no": you said no`
	for typed, want := range map[string]expect{"n\r": {1, []string{no}}, "\r": {1, []string{no}}, ctrlC: {130, []string{"error: interrupted while asking"}}} {
		for _, flags := range [][]string{nil, {"--block"}} {
			screen, code := atTerminal(t, s, "Remove this from ob-no?", typed, append([]string{"offboard", "ob-no"}, flags...)...)
			if code != want.code || !strings.Contains(screen, want.stderr[0]) {
				t.Errorf("typing %q: exit code %d\n%s", typed, code, screen)
			}
		}
	}
	if !slices.Contains(s.binding("no-binding").Subjects, user("ob-no")) {
		t.Error("the user was taken out of a binding")
	}
	if state := request.StateOf(s.object("x/no-pending")); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
	if isRefusedByBlockAs(t, s.client(), "ob-no") {
		t.Error("the user is blocked")
	}
	list, err := s.client().CoreV1().ConfigMaps("kube-system").Get(t.Context(), "csr-onboard-blocked", metav1.GetOptions{})
	if err == nil && len(list.Data["offboarded-6f622d6e6f"]+list.Data["user-6f622d6e6f"]) > 0 {
		t.Errorf("the user is on the list: %v", list.Data)
	}
	screen, code := atTerminal(t, s, "Remove this from ob-no?", "y\r", "offboard", "ob-no")
	if code != 0 || slices.Contains(s.binding("no-binding").Subjects, user("ob-no")) {
		t.Errorf("a yes takes nothing away: exit code %d\n%s", code, screen)
	}
}
