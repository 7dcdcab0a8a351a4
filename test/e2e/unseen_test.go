package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

// TestUnseen_NobodyGetsTheRightsOfAnotherUserUnseen is u03, who can create requests and nothing
// else, asking as u02 in every way in which a request can be approved without being shown.
func TestUnseen_NobodyGetsTheRightsOfAnotherUserUnseen(t *testing.T) {
	t.Parallel()
	requests := rbacv1.PolicyRule{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"create", "get", "list", "watch"}}
	s := newSession(t, controlplane.Start(t, controlplane.WithUser("u03", nil, requests)))
	s.must("new-user", "u02", "--dir", "own", "--approve")
	own := requestNamesOf(t, s, "u02")

	planted := built(t, identity.User{Name: "u02"})
	planted.Name, planted.Labels = "u03-asks-as-u02", map[string]string{"team": "blue"}
	file, err := json.Marshal(planted)
	if err != nil {
		t.Fatal(err)
	}
	s.directory("directory")
	s.write("u02.json", string(file))
	s.write("directory/u02.json", string(file))
	attack := built(t, identity.User{Name: "u02"})
	attack.Name, attack.Labels = planted.Name+"-online", planted.Labels
	if _, err := clientOf(t, s.plane.KubeconfigOf("u03")).CertificatesV1().CertificateSigningRequests().Create(t.Context(), attack, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	everyWay := func(when, why string) {
		t.Helper()
		for _, arguments := range [][]string{
			{"approve", "u02", "--yes"},
			{"approve", attack.Name, "--yes"},
			{"approve", attack.Name, "u02", "--yes"},
			{"approve", "--all", "--yes"},
			{"approve", "--all", "--yes", "--allow", "system-user", "--allow", "admin-group"},
			{"approve", "-l", "team=blue", "--yes"},
			{"approve", "-f", "u02.json", "--yes"},
			{"approve", "-f", "directory", "--yes"},
			{"approve", "-f", "directory", "-f", "u02.json", "--yes"},
			{"approve", "u02", "--dry-run=client"},
			{"approve", "--all", "--dry-run=server"},
			{"approve", "-f", "u02.json", "--yes", "--out", "out.yaml"},
		} {
			result := s.run(arguments...)
			if result.Code != 2 || !strings.Contains(result.Stdout+result.Stderr, "known-user: the user \"u02\" is already known ("+why) {
				t.Errorf("%s, %q: exit code %d\n%s%s", when, arguments, result.Code, result.Stdout, result.Stderr)
			}
			if state := request.StateOf(s.object("x/" + attack.Name)); state != request.Pending {
				t.Fatalf("%s, %q: u03's request is %s", when, arguments, state)
			}
		}
		if names := requestNamesOf(t, s, "u02"); slices.Contains(names, planted.Name) {
			t.Errorf("%s: the request of a file was submitted: %q", when, names)
		}
	}
	everyWay("with u02's request on the cluster", `request "`+own[0]+`"`)

	bind := func(namespace string) {
		t.Helper()
		s.must("grant", "u02", "--clusterrole", "view", "-n", namespace)
	}
	bind("default")
	everyWay("with a role as well", "role bindings name that user")
	for _, name := range own {
		if err := requestsOf(s).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	everyWay("with a role in a namespace alone", "role bindings name that user")

	s.write("team.yaml", "apiVersion: csr-onboard.github.io/v1alpha1\nkind: Team\nusers:\n- name: u02\n  groups: []\n")
	s.must("new-user", "-f", "team.yaml", "--approve", "--dir", "team")
	s.must("new-user", "u02", "--approve", "--dir", "again")
	if state := request.StateOf(s.object("x/" + attack.Name)); state != request.Pending {
		t.Fatalf("after new-user --approve, u03's request is %s", state)
	}
	everyWay("after new-user --approve", "role bindings name that user")

	screen, code := terminal.Run(t, s.env, []terminal.Turn{{When: "Approve the request of u02?", Typed: "n\r"}}, "approve", attack.Name)
	if code != 1 || !strings.Contains(screen, "\x1b[33mwarning\x1b[0m: known-user: ") {
		t.Errorf("a person is shown, with exit code %d:\n%s", code, screen)
	}
	s.must("approve", attack.Name, "--yes", "--fingerprint", request.ReviewOf(s.object("x/"+attack.Name)).Fingerprint)
}

func TestUnseen_WhatIsStillApprovedUnseen(t *testing.T) {
	t.Parallel()
	requests := rbacv1.PolicyRule{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"create", "get", "list", "watch"}}
	approving := []rbacv1.PolicyRule{
		requests,
		{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests/approval"}, Verbs: []string{"update"}},
		{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"signers"}, ResourceNames: []string{"kubernetes.io/*"}, Verbs: []string{"approve"}},
	}
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager(),
		controlplane.WithUser("known", nil, requests),
		controlplane.WithUser("robot", nil, approving...),
		controlplane.WithUser("half", nil, approving[:2]...),
	))
	submit := func(by, name, of string) {
		t.Helper()
		object := built(t, identity.User{Name: of})
		object.Name = name
		if _, err := clientOf(t, s.plane.KubeconfigOf(by)).CertificatesV1().CertificateSigningRequests().Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// The role bindings of the control plane make these users known.
	submit("known", "renewal", "known")
	submit("robot", "by-robot", "half")
	submit("known", "newcomer", "somebody-new")
	submit("half", "by-half", "robot")
	s.write("first.json", fileOf(t, identity.User{Name: "first-file"}))
	s.directory("twice")
	s.write("twice/a.json", fileOf(t, identity.User{Name: "in-two-files"}))
	s.write("twice/b.json", fileOf(t, identity.User{Name: "in-two-files", Groups: []string{"ops"}}))

	s.check(s.run("approve", "--all", "--yes"), expect{2, []string{`not approved: certificate signing request "by-half" has to be shown to a person: known-user`}})
	for name, want := range map[string]request.State{
		"renewal": request.Approved, "by-robot": request.Approved, "newcomer": request.Approved, "by-half": request.Pending,
	} {
		if state := request.StateOf(s.object("x/" + name)); state != want {
			t.Errorf("%s is %s, want %s", name, state, want)
		}
	}
	s.must("approve", "-f", "first.json", "--yes", "--wait=false")
	s.check(s.run("approve", "-f", "twice", "--yes", "--wait=false"), expect{2, []string{"2 requests were not approved", "another file"}})
}

func TestUnseen_WhatCannotBeCheckedIsNotApprovedUnseen(t *testing.T) {
	s := newSession(t, shared)
	printed := s.as(requester).must("new-user", "unlisted-bindings", "--dir", "D")
	// An approver who cannot read role bindings cannot know whether they name that user.
	for _, arguments := range [][]string{
		{"approve", "unlisted-bindings", "--yes"},
		{"approve", objectName(printed.Stdout), "--yes"},
		{"approve", "-f", "D/unlisted-bindings.csr", "--yes"},
	} {
		s.check(s.as(approver).run(arguments...), expect{2, []string{`whether the user "unlisted-bindings" is already known could not be checked (`, "cannot list resource"}})
	}
	if state := request.StateOf(s.object(printed.Stdout)); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
	s.must("approve", "unlisted-bindings", "--yes")
}

// requestNamesOf are the names of the requests for a user.
func requestNamesOf(t *testing.T, s *session, user string) []string {
	t.Helper()
	list, err := requestsOf(s).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		if slices.Contains(request.UsersOf(request.Of(&list.Items[i])), user) {
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

func fileOf(t *testing.T, user identity.User) string {
	t.Helper()
	object := built(t, user)
	object.Name = ""
	encoded, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func (s *session) directory(name string) {
	s.t.Helper()
	if err := os.Mkdir(s.path(name), 0o700); err != nil {
		s.t.Fatal(err)
	}
}
