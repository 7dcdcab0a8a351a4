package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/fixture"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

func TestReview_ARequestReplacedBehindTheQuestionIsNotApproved(t *testing.T) {
	s := newSession(t, shared)
	create(t, s, "swapped", identity.User{Name: "swapped", Groups: []string{"dev"}})
	var replaced *certificatesv1.CertificateSigningRequest
	screen, code := terminal.Run(t, s.env, []terminal.Turn{{
		When: "Approve the request of swapped (dev)?",
		First: func() {
			if err := requestsOf(s).Delete(t.Context(), "swapped", metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
			replaced = create(t, s, "swapped", identity.User{Name: "swapped", Groups: []string{"System:Masters"}})
		},
		Typed: "y\r",
	}}, "approve", "swapped")
	if code != 5 || !strings.Contains(screen, "is not the one that was reviewed: it was deleted and recreated") {
		t.Errorf("exit code %d\n%s", code, screen)
	}
	if diff := cmp.Diff(replaced, s.object("x/swapped").CertificateSigningRequest); diff != "" {
		t.Errorf("the new request was touched:\n%s", diff)
	}
}

func TestReview_TwoAdministratorsDecidingAtOnce(t *testing.T) {
	s := newSession(t, shared)
	for i := range 5 {
		user := fmt.Sprintf("disputed-%d", i)
		create(t, s, user, identity.User{Name: user})
		var approved, denied program.Result
		var both sync.WaitGroup
		both.Go(func() { approved = s.run("approve", user, "--yes") })
		both.Go(func() { denied = s.as(approver).run("deny", user, "--yes") })
		both.Wait()
		winner, loser, name := approved, denied, "approved by administrator with kubectl csr-onboard"
		if approved.Code != 0 {
			winner, loser, name = denied, approved, "denied by approver with kubectl csr-onboard"
		}
		if winner.Code != 0 {
			t.Fatalf("nobody won:\n%s\n%s", approved.Stderr, denied.Stderr)
		}
		s.check(loser, expect{5, []string{name}})
	}

	create(t, s, "overtaken", identity.User{Name: "overtaken"})
	screen, code := terminal.Run(t, s.env, []terminal.Turn{{
		When:  "Approve the request of overtaken?",
		First: func() { s.as(approver).must("deny", "overtaken", "--yes", "--message", "not yet") },
		Typed: "y\r",
	}}, "approve", "overtaken")
	if code != 5 || !strings.Contains(screen, "was decided by somebody else first: denied (not yet (denied by approver with kubectl csr-onboard v0.0.0-test))") {
		t.Errorf("exit code %d\n%s", code, screen)
	}
}

func TestReview_LabelsDecideNothing(t *testing.T) {
	s := newSession(t, shared)
	labelled := func(name, label string, user identity.User) {
		object := create(t, s, name, user)
		object.Labels = map[string]string{}
		if label != "" {
			object.Labels[request.UserLabel] = request.UserLabelValue(label)
		}
		if _, err := requestsOf(s).Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	own := objectName(s.must("new-user", "lotte", "--dir", "D").Stdout)
	labelled("posing-by-label", "lotte", identity.User{Name: "mallory"})
	if said := s.must("approve", "lotte", "--yes").Stdout; objectName(said) != own {
		t.Errorf("approve said %q, want %s", said, own)
	}

	s.must("new-user", "luise", "--dir", "D2")
	labelled("another-program", "", identity.User{Name: "luise", Groups: []string{"ops"}})
	labelled("hidden-by-label", "mallory", identity.User{Name: "luise", Groups: []string{"ops"}})
	s.check(s.run("approve", "luise", "--yes"), expect{2, []string{`3 pending requests claim the name "luise"`, "another-program", "hidden-by-label"}})
	for _, name := range []string{"posing-by-label", "hidden-by-label", "another-program"} {
		if state := request.StateOf(s.object("x/" + name)); state != request.Pending {
			t.Errorf("%s is %s", name, state)
		}
	}

	// The groups of a user are those of the last approved request, whatever its label.
	s.must("approve", "hidden-by-label", "--yes")
	if said := s.must("grant", "luise", "--clusterrole", "view", "-n", "default", "--to-group", "--dry-run=client", "-o", "json").Stdout; !strings.Contains(said, `"name": "ops"`) {
		t.Errorf("grant --to-group makes\n%s", said)
	}
}

func TestReview_AnObjectOfAUsersNameIsNotTakenForHers(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "paula", "--dir", "D", "--approve")
	create(t, s, "paula", identity.User{Name: "mallory"})
	s.check(s.run("approve", "paula", "--yes"), expect{2, []string{`"paula" is a user's name, and the name of a request for another user`, "user mallory, pending"}})
	fingerprint := request.ReviewOf(s.object("x/paula")).Fingerprint
	s.must("approve", "paula", "--yes", "--fingerprint", fingerprint)
}

func TestReview_WhatRoleBindingsGiveIsPartOfTheReview(t *testing.T) {
	s := newSession(t, shared)
	bind := func(name, role string, subjects ...rbacv1.Subject) {
		_, err := s.client().RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   subjects,
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	bind("granted-view", "view", rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "granted-viewers"})
	bind("granted-edit", "edit", rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "greta"})
	bind("granted-admin", "cluster-admin", rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "granted-admins"})

	create(t, s, "granted", identity.User{Name: "greta", Groups: []string{"granted-viewers", "granted-admins"}})
	s.check(s.run("approve", "granted", "--yes"), expect{6, []string{
		`refused: admin-group: the group "granted-admins" is bound to cluster-admin on this cluster`,
		`warning: user-already-bound: the user "greta" already has roles, which the holder of this certificate would have: ClusterRole/edit everywhere`,
		`warning: group-already-bound: the group "granted-viewers" gives the user: ClusterRole/view everywhere`,
		`error: certificate signing request "granted" is refused: admin-group`,
	}})
	s.check(s.run("new-user", "greta", "-g", "granted-admins", "--approve", "--dir", "D"), expect{6, []string{"error: admin-group: ", "hint: if you know that this is right"}})
	if n := countRequestsOf(s, "greta-"); n != 0 {
		t.Errorf("%d requests were made", n)
	}

	unread := s.as(approver).run("approve", "granted", "--yes", "--dry-run=client")
	if unread.Code != 0 || !strings.Contains(unread.Stdout, "not checked: user-already-bound, group-already-bound and what RBAC says for admin-group could not be checked: ") {
		t.Errorf("exit code %d\n%s%s", unread.Code, unread.Stdout, unread.Stderr)
	}
}

func TestReview_ADryRunOfAnApprovalIsTheReviewAlone(t *testing.T) {
	s := newSession(t, shared)
	create(t, s, "rehearsed", identity.User{Name: "rehearsed", Groups: []string{"dev"}})
	text := s.must("approve", "rehearsed", "--dry-run=client")
	if !strings.HasPrefix(text.Stdout, "certificate signing request rehearsed\n  user          rehearsed\n  groups        dev\n") || text.Stderr != "nothing was approved (dry run)\n" {
		t.Errorf("it prints\n%s%s", text.Stdout, text.Stderr)
	}
	var review struct {
		APIVersion, Kind, Fingerprint, State string
		User                                 struct {
			Name   string
			Groups []string
		}
	}
	if err := json.Unmarshal([]byte(s.must("approve", "rehearsed", "--dry-run=client", "-o", "json").Stdout), &review); err != nil {
		t.Fatal(err)
	}
	if review.Kind != "RequestReview" || review.APIVersion != "csr-onboard.github.io/v1alpha1" || review.State != "Pending" ||
		review.User.Name != "rehearsed" || review.Fingerprint != request.ReviewOf(s.object("x/rehearsed")).Fingerprint {
		t.Errorf("the review is %+v", review)
	}
	if yaml := s.must("approve", "rehearsed", "--dry-run=client", "-o", "yaml").Stdout; !strings.Contains(yaml, "\nkind: RequestReview\n") {
		t.Errorf("it prints\n%s", yaml)
	}
	if said := s.must("approve", "rehearsed", "--dry-run=server").Stdout; !strings.HasSuffix(said, "/rehearsed approved (server dry run)\n") {
		t.Errorf("it prints %q", said)
	}
	if state := request.StateOf(s.object("x/rehearsed")); state != request.Pending {
		t.Errorf("the request is %s", state)
	}

	create(t, s, "rehearsed-node", identity.User{Name: "system:node:r"})
	refused := s.run("approve", "rehearsed", "rehearsed-node", "--dry-run=client", "-o", "json")
	s.check(refused, expect{6, []string{"is refused: system-user"}})
	if strings.Count(refused.Stdout, `"kind": "RequestReview"`) != 2 || !strings.Contains(refused.Stdout, `"kind": "RequestReviewList"`) {
		t.Errorf("it prints\n%s", refused.Stdout)
	}
	s.check(s.run("approve", "nobody-at-all", "--dry-run=client"), expect{4, nil})
	s.must("deny", "rehearsed", "--yes")
	s.check(s.run("approve", "rehearsed", "--dry-run=client"), expect{5, []string{"is decided already: denied"}})
	s.check(s.as(requester).run("approve", "rehearsed-node", "--dry-run=client", "--allow", "system-user"), expect{1, []string{"you cannot approve"}})
}

func TestReview_ApprovingEverythingThatIsPending(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	s.check(s.run("approve", "--all", "--yes"), expect{0, []string{"no pending certificate signing requests found"}})
	labelled := func(name string, user identity.User) {
		object := create(t, s, name, user)
		object.Labels["team"] = "blue"
		if _, err := requestsOf(s).Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	create(t, s, "all-a", identity.User{Name: "a"})
	labelled("all-b", identity.User{Name: "b"})
	labelled("all-node", identity.User{Name: "system:node:a"})
	create(t, s, "all-c", identity.User{Name: "c"})
	labelled("all-c-again", identity.User{Name: "c", Groups: []string{"ops"}})

	blue := s.run("approve", "-l", "team=blue", "--yes")
	s.check(blue, expect{2, []string{
		`not approved: certificate signing request "all-node" is refused: system-user`,
		`not approved: certificate signing request "all-c-again" is one of several pending ones that claim the user "c"`,
		"error: 2 requests were not approved; the first: ",
	}})
	if !strings.HasSuffix(blue.Stdout, "/all-b approved\n") || strings.Count(blue.Stdout, "\n") != 1 {
		t.Errorf("it prints %q", blue.Stdout)
	}
	s.check(s.run("approve", "--all"), expect{2, []string{"no terminal is available to confirm"}})
	rest := s.run("approve", "--all", "--yes", "--allow", "system-user")
	s.check(rest, expect{2, []string{"error: 2 requests were not approved"}})
	if strings.Count(rest.Stdout, "approved\n") != 2 {
		t.Errorf("it prints %q", rest.Stdout)
	}
	s.must("deny", "all-c-again", "--yes")
	s.must("approve", "--all", "--yes")
	if left := s.must("list", "--pending"); left.Stdout != "" || left.Stderr != "no pending certificate signing requests found\n" {
		t.Errorf("list prints %q, %q", left.Stdout, left.Stderr)
	}
}

func TestReview_TheWholeTableOnARealAPIServer(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	want := map[string][]string{}
	var names []string
	for i, entry := range fixture.Load(t) {
		name := fmt.Sprintf("table-%03d-\x1b[31m\u202e%s", i, entry.File)
		_, err := requestsOf(s).Create(t.Context(), entryObject(entry, name), metav1.CreateOptions{})
		switch {
		case entry.RefusedByAPI && err == nil:
			t.Errorf("%s: the API server took it", entry.File)
		case entry.RefusedByAPI:
			continue
		case err != nil:
			t.Errorf("%s: %v", entry.File, err)
			continue
		}
		if entry.Terminating {
			if err := requestsOf(s).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		names = append(names, name)
		want[name] = onTheServer(entry)
	}
	var list struct {
		Items []struct {
			Request  struct{ Name string }
			Findings []struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(s.must("list", "--all-signers", "-o", "json").Stdout), &list); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, item := range list.Items {
		findings := []string{}
		for _, finding := range item.Findings {
			findings = append(findings, finding.Name)
		}
		slices.Sort(findings)
		got[item.Request.Name] = slices.Compact(findings)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, arguments := range [][]string{
		{"list"}, {"list", "--all-signers", "-o", "wide"}, {"list", "-o", "yaml"}, {"list", "-o", "name"},
		append([]string{"approve", "--dry-run=client"}, names...),
		{"approve", "--all", "--yes"},
	} {
		result := s.run(arguments...)
		for line := range strings.Lines(result.Stdout + result.Stderr) {
			if identity.HasHidden(line, func(r rune) bool { return r == '\n' || r == utf8.RuneError }) {
				t.Errorf("%.60q: a terminal does not show all of %q", arguments, line)
			}
		}
	}
}

// entryObject is an entry as it is created: by an administrator, and with a
// finalizer where it is to be seen while it is being deleted.
func entryObject(entry fixture.Entry, name string) *certificatesv1.CertificateSigningRequest {
	object := entry.Object(name, time.Time{})
	object.UID = ""
	object.DeletionTimestamp = nil
	if entry.Terminating {
		object.Finalizers = []string{"csr-onboard.github.io/test"}
	}
	return object
}

// onTheServer is what is found in an entry that an administrator submitted, who
// is a member of system:masters.
func onTheServer(entry fixture.Entry) []string {
	findings := slices.DeleteFunc(slices.Clone(entry.Findings), func(name string) bool {
		return name == request.RequestedByOther || name == request.MoreThanRequester
	})
	slices.Sort(findings)
	return append([]string{}, findings...)
}

func TestReview_AMalformedRequestIsARowOfTheList(t *testing.T) {
	s := newSession(t, shared)
	for _, entry := range fixture.Load(t) {
		if entry.File != "der-extra-element.csr" {
			continue
		}
		if _, err := requestsOf(s).Create(t.Context(), entryObject(entry, "malformed"), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	for line := range strings.Lines(s.must("list").Stdout) {
		if strings.HasPrefix(line, "malformed ") {
			if !strings.Contains(line, "<cannot be read>") || !strings.Contains(line, "1 refused") {
				t.Errorf("its row is %q", line)
			}
			return
		}
	}
	t.Error("it has no row")
}

func TestReview_ADecisionIsNotMistakenForItsOpposite(t *testing.T) {
	s := newSession(t, shared)
	denied := objectName(s.must("new-user", "rike", "--dir", "D").Stdout)
	s.must("deny", denied, "--yes")
	for _, name := range []string{denied, "rike"} {
		s.check(s.run("approve", name, "--yes", "--clusterrole", "view"), expect{5, []string{"is decided already: denied"}})
	}
	if _, err := s.client().RbacV1().ClusterRoleBindings().Get(t.Context(), "csr-onboard-rike", metav1.GetOptions{}); err == nil {
		t.Error("a role was given for a denied request")
	}
	s.must("new-user", "rita", "--dir", "D", "--approve")
	issued := ""
	for _, name := range strings.Split(s.must("list", "-o", "name").Stdout, "\n") {
		if strings.Contains(name, "/rita-") {
			issued = objectName(name)
		}
	}
	s.check(s.run("deny", issued, "--yes"), expect{5, []string{"is decided already: issued"}})
}

func TestReview_WhatIsPlantedIsNotApprovedUnseen(t *testing.T) {
	s := newSession(t, shared)
	mallory := s.as(requester)
	plant := func(name string, of identity.User) {
		object := built(t, of)
		object.Name = name
		if _, err := clientOf(t, mallory.env.Kubeconfig).CertificatesV1().CertificateSigningRequests().Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	plant("norma", identity.User{Name: requester})
	s.check(s.run("approve", "norma", "--yes"), expect{2, []string{`"norma" is the name of a request for another user, "requester", which "requester" submitted`, "submitted by  requester"}})

	s.must("new-user", "olaf-again", "--dir", "D")
	s.must("approve", "olaf-again", "--yes")
	plant("later", identity.User{Name: "olaf-again", Groups: []string{"ops"}})
	s.check(s.run("approve", "olaf-again", "--yes"), expect{2, []string{`known-user: the user "olaf-again" is already known (request "olaf-again-`, `"later" has to be shown to a person`}})

	// Who can get and not list cannot know whether a user of that name asks for
	// something.
	plant("walter", identity.User{Name: requester})
	s.must("new-user", "walter", "--dir", "W")
	s.check(s.as(decider).run("approve", "walter", "--yes"), expect{1, []string{"you cannot list certificate signing requests"}})
	for _, name := range []string{"norma", "later", "walter"} {
		if state := request.StateOf(s.object("x/" + name)); state != request.Pending {
			t.Errorf("%s is %s", name, state)
		}
	}
}

func TestReview_WhatWasTypedBeforeTheQuestionIsNoAnswer(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "tilda", "--dir", "D")
	screen, code := terminal.Run(t, s.env, []terminal.Turn{{When: "Approve the request of tilda?", Typed: "n\r"}}, "approve", "tilda")
	if code != 1 {
		t.Fatalf("exit code %d\n%s", code, screen)
	}
	screen, code = terminal.RunTypedAhead(t, s.env, "y\r", []terminal.Turn{{When: "Approve the request of tilda?", Typed: ctrlC}}, "approve", "tilda")
	if code != 130 || request.StateOf(s.object(printed.Stdout)) != request.Pending {
		t.Errorf("exit code %d\n%s", code, screen)
	}
}

func TestReview_WhoSubmittedARequestCannotApproveItWhereTwoPeopleHaveTo(t *testing.T) {
	s := newSession(t, shared)
	own := s.as(sender)
	own.must("new-user", "foureyes", "--dir", "D")
	name := objectName(s.must("list", "-o", "name").Stdout)
	for line := range strings.Lines(s.must("list", "-o", "name").Stdout) {
		if strings.Contains(line, "foureyes") {
			name = objectName(line)
		}
	}
	s.check(own.run("approve", name, "--yes", "--require-other-approver"), expect{6, []string{
		`refused: self-approved: you ("sender") submitted it yourself, and somebody else has to approve it`, "is refused: self-approved",
	}})
	s.check(s.run("approve", "-f", "D/foureyes.csr", "--require-other-approver"), expect{2, []string{"--require-other-approver and --filename exclude each other"}})
	s.must("approve", "foureyes", "--yes", "--require-other-approver")
}
