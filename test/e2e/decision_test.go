package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

// A decision that fails is reported as failed, stops no other, and gives nobody anything.

var (
	conflict = hostile.Status(http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
	notFound = hostile.Status(http.StatusNotFound, metav1.StatusReasonNotFound, "not found")
)

// labeled are pending requests, one a user, which a label selects.
func labeled(s *session, label string, users ...string) {
	s.t.Helper()
	for _, user := range users {
		object := built(s.t, identity.User{Name: user})
		object.Name, object.Labels["bulk"] = user, label
		if _, err := requestsOf(s).Create(s.t.Context(), object, metav1.CreateOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// approved lists which of the requests are.
func (s *session) approved(names ...string) (approved []string) {
	s.t.Helper()
	for _, name := range names {
		if state := request.StateOf(s.object("x/" + name)); state == request.Approved || state == request.Issued {
			approved = append(approved, name)
		}
	}
	return approved
}

// bound lists which users a binding of the program's names.
func (s *session) bound(users ...string) (bound []string) {
	s.t.Helper()
	list, err := s.client().RbacV1().ClusterRoleBindings().List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, user := range users {
		if slices.ContainsFunc(list.Items, func(binding rbacv1.ClusterRoleBinding) bool {
			return slices.ContainsFunc(binding.Subjects, func(subject rbacv1.Subject) bool { return subject.Name == user })
		}) {
			bound = append(bound, user)
		}
	}
	return bound
}

func TestDecision_OneThatFailsStopsNoOther(t *testing.T) {
	for name, test := range map[string]struct {
		rules []*hostile.Rule
		code  int
		says  string
	}{
		"deleted": {[]*hostile.Rule{
			{Method: http.MethodPut, Path: "/deleted-b/approval", Do: conflict},
			{Method: http.MethodGet, Path: "/deleted-b", Do: notFound},
		}, 5, `certificate signing request "deleted-b" was deleted after it was reviewed`},
		"broken": {[]*hostile.Rule{
			{Method: http.MethodPut, Path: "/broken-b/approval", Do: hostile.Status(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcdserver: request timed out")},
		}, 1, `could not approve the certificate signing request "broken-b"`},
		"forbidden": {[]*hostile.Rule{
			{Method: http.MethodPut, Path: "/forbidden-b/approval", Do: hostile.Status(http.StatusForbidden, metav1.StatusReasonForbidden, "not permitted")},
		}, 1, `forbidden: you cannot approve the certificate signing request "forbidden-b"`},
		"restless": {[]*hostile.Rule{
			{Method: http.MethodPut, Path: "/restless-b/approval", Do: conflict},
		}, 1, `it changes faster than it can be decided`},
		"unheard": {[]*hostile.Rule{
			{Method: http.MethodPut, Path: "/unheard-b/approval", Do: hostile.Edit(func(object map[string]any) { delete(object, "status") })},
		}, 1, `the API server accepted it, but the request is Pending`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, shared)
			users := []string{name + "-a", name + "-b", name + "-c"}
			labeled(s, name, users...)
			s.behindFront(test.rules...)
			result := s.run("approve", "-l", "bulk="+name, "--yes", "--clusterrole", "view")
			s.check(result, expect{test.code, []string{"not approved: ", test.says}})
			want := []string{users[0], users[2]}
			for _, user := range want {
				if !strings.Contains(result.Stdout, "/"+user+" approved\n") {
					t.Errorf("%s is not reported as approved:\n%s", user, result.Stdout)
				}
			}
			if strings.Contains(result.Stdout, "/"+users[1]) {
				t.Errorf("what failed is reported as approved:\n%s", result.Stdout)
			}
			if got := s.approved(users...); name != "unheard" && !slices.Equal(got, want) {
				t.Errorf("approved are %q", got)
			}
			if got := s.bound(users...); !slices.Equal(got, want) {
				t.Errorf("a role was given to %q", got)
			}
		})
	}
}

// TestDecision_AConflictOfLabelsIsDecidedAgain has the API server say once that the object has
// been changed, where it is as it was reviewed.
func TestDecision_AConflictOfLabelsIsDecidedAgain(t *testing.T) {
	s := newSession(t, shared)
	labeled(s, "once", "once-a", "once-b")
	s.behindFront(&hostile.Rule{Method: http.MethodPut, Path: "/approval", Times: 1, Do: conflict})
	s.must("approve", "-l", "bulk=once", "--yes")
	if got := s.approved("once-a", "once-b"); len(got) != 2 {
		t.Errorf("approved are %q", got)
	}
}

func TestDecision_AnInterruptLeavesTheRestUndecided(t *testing.T) {
	s := newSession(t, shared)
	var users []string
	for i := range 20 {
		users = append(users, fmt.Sprintf("stopped-%02d", i))
	}
	labeled(s, "stopped", users...)
	// All calls but the first are held until the caller hangs up.
	var held atomic.Int64
	s.behindFront(&hostile.Rule{Method: http.MethodPut, Path: "/approval", When: func(call *http.Request) bool {
		return !strings.HasSuffix(call.URL.Path, "/stopped-00/approval")
	}, Do: hostile.First(func() { held.Add(1) }, hostile.Silent)})
	run := start(s, "approve", "-l", "bulk=stopped", "--yes")
	s.until("several decisions are under way", func() bool { return held.Load() > 10 && len(s.approved("stopped-00")) == 1 })
	if err := run.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	s.check(run.end(), expect{130, []string{"interrupted"}})
	if got := s.approved(users...); !slices.Equal(got, []string{"stopped-00"}) {
		t.Errorf("approved are %q", got)
	}
}

func TestDecision_ARoleIsNotGivenWhereTheApprovalFailed(t *testing.T) {
	s := newSession(t, shared)
	for user, happen := range map[string]func(name string){
		"overtaken-denied":  func(name string) { s.as(approver).must("deny", name, "--yes") },
		"overtaken-deleted": func(name string) { remove(t, s, name) },
		"overtaken-replaced": func(name string) {
			remove(t, s, name)
			create(t, s, name, identity.User{Name: "overtaken-replaced"})
		},
	} {
		create(t, s, user, identity.User{Name: user})
		screen, code := terminal.Run(t, s.env, []terminal.Turn{{When: "Approve the request of " + user + "?", First: func() { happen(user) }, Typed: "y\r"}},
			"approve", user, "--clusterrole", "view")
		if code != 5 {
			t.Errorf("%s: exit code %d\n%s", user, code, screen)
		}
		if bound := s.bound(user); len(bound) > 0 {
			t.Errorf("%s was given a role", user)
		}
	}
	// One that was approved by somebody else first is not a reason to give nothing: the next run does.
	create(t, s, "overtaken-approved", identity.User{Name: "overtaken-approved"})
	s.as(approver).must("approve", "overtaken-approved", "--yes")
	s.must("approve", "overtaken-approved", "--yes", "--clusterrole", "view")
	if len(s.bound("overtaken-approved")) != 1 {
		t.Error("the role was not given")
	}
}

// TestDecision_ARoleThatCannotBeGivenIsReported has the binding fail when the request is
// approved.
func TestDecision_ARoleThatCannotBeGivenIsReported(t *testing.T) {
	s := newSession(t, shared)
	create(t, s, "ungiven", identity.User{Name: "ungiven"})
	writes := func(call *http.Request) bool {
		return call.Method != http.MethodGet && strings.Contains(call.URL.Path, "/clusterrolebindings") && call.URL.Query().Get("dryRun") == ""
	}
	s.behindFront(&hostile.Rule{When: writes, Do: hostile.Status(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcdserver: request timed out")})
	result := s.run("approve", "ungiven", "--yes", "--clusterrole", "view")
	s.check(result, expect{1, []string{"etcdserver: request timed out"}})
	if len(s.approved("ungiven")) != 1 || len(s.bound("ungiven")) != 0 {
		t.Error("the request is not approved, or the role was given")
	}
	if !strings.Contains(result.Stdout, "/ungiven approved\n") {
		t.Errorf("the approval is not reported: %q", result.Stdout)
	}
	s.env.Kubeconfig = s.plane.Kubeconfig
	s.must("approve", "ungiven", "--yes", "--clusterrole", "view")
	if len(s.bound("ungiven")) != 1 {
		t.Error("the next run does not give the role")
	}
}
