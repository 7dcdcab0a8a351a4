package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// section is the text of a page under a heading, up to the next heading of the same
// level or above.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("heading %q not found", heading)
	}
	level := strings.Repeat("#", strings.Count(strings.Fields(heading)[0], "#"))
	for marks := level; marks != "#"; marks = marks[1:] {
		rest, _, _ = strings.Cut(rest, "\n"+marks+" ")
	}
	return rest
}

// readsNothing checks that a kubeconfig logs in, and reads nothing that role bindings
// of people give.
func readsNothing(t *testing.T, about, kubeconfig string) {
	t.Helper()
	client := clientOf(t, kubeconfig)
	if selfSubjectReview(t, client) == "" {
		t.Errorf("%s: the certificate does not log in", about)
	}
	reads := map[string]func() error{
		"pods in default": func() error {
			_, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
			return err
		},
		"configmaps in default": func() error {
			_, err := client.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
			return err
		},
		"secrets everywhere": func() error {
			_, err := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
			return err
		},
		"namespaces": func() error {
			_, err := client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
			return err
		},
		"requests": func() error {
			_, err := client.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
			return err
		},
	}
	for what, read := range reads {
		if err := read(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: reading %s: %v", about, what, err)
		}
	}
}

// isRefusedByBlock reports whether a write that anybody with rights could do is refused by
// the policy; by says who writes.
func isRefusedByBlock(t *testing.T, client kubernetes.Interface) bool {
	t.Helper()
	_, err := client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "written-"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return isBlocked(err)
}

func TestLeaving_TheStolenKubeconfigReadsNothingAfterTheGuidesRecipe(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.env.Path = append(s.env.Path, standardTools())
	guide := pages(t, "docs/guides/leaving.md")["docs/guides/leaving.md"]
	recipe, back, found := strings.Cut(section(t, guide, "## When a user leaves, or a laptop is stolen"), "\n### When the user comes back\n")
	if !found {
		t.Fatal("the guide does not say how the user comes back")
	}
	for i, block := range shellBlock.FindAllStringSubmatch(recipe, -1) {
		s.shell(block[1])
		if i == 0 && (!mayListPods(t, s.path("stolen", "sam.kubeconfig"), "default")) {
			t.Fatal("the stolen kubeconfig could not read to begin with")
		}
	}
	stolen := s.path("stolen", "sam.kubeconfig")
	readsNothing(t, "after the recipe", stolen)
	if !isRefusedByBlockAs(t, s.client(), "sam") {
		t.Error("writes of the user are not refused by the block")
	}
	back, _, _ = strings.Cut(back, "\n### ")
	for _, block := range shellBlock.FindAllStringSubmatch(back, -1) {
		s.shell(block[1])
		readsNothing(t, "after "+block[1], stolen)
	}
	if !isRefusedByBlock(t, clientOf(t, stolen)) && mayListPods(t, stolen, "default") {
		t.Error("the stolen certificate writes again")
	}
	for _, came := range []string{s.path("sam-2", "sam-2.kubeconfig"), s.path("sam-new", "sam.kubeconfig")} {
		if !mayListPods(t, came, "default") {
			t.Errorf("%s cannot read what the user was given", came)
		}
		if _, err := clientOf(t, came).CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "back-"}}, metav1.CreateOptions{}); err != nil {
			t.Errorf("%s cannot write: %v", came, err)
		}
	}
}

// isRefusedByBlockAs reports whether the policy refuses a write as a user who could
// otherwise do everything.
func isRefusedByBlockAs(t *testing.T, admin kubernetes.Interface, user string) bool {
	t.Helper()
	return isBlocked(writeAs(t.Context(), admin, user))
}

// becomesRefused waits until the policy refuses writes as a user.
func becomesRefused(t *testing.T, admin kubernetes.Interface, user string) bool {
	t.Helper()
	return wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return isBlocked(writeAs(ctx, admin, user)), nil
	}) == nil
}

func writeAs(ctx context.Context, admin kubernetes.Interface, user string) error {
	return admin.CoreV1().RESTClient().Post().Namespace("default").Resource("configmaps").Param("dryRun", "All").
		SetHeader("Impersonate-User", user).SetHeader("Impersonate-Group", "system:masters").
		Body(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "as-"}}).Do(ctx).Error()
}

func TestLeaving_ATeamFileRunAgainLeavesOutWhoWasOffboarded(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.namespace("team-back")
	file := teamHeader
	for _, name := range []string{"left", "blocked", "stays"} {
		file += fmt.Sprintf("- {name: %s, groups: [crew], clusterRoles: [view], namespace: team-back}\n", name)
	}
	s.write("team.yaml", file)
	run := []string{"new-user", "-f", "team.yaml", "--approve", "--dir", "T"}
	s.must(run...)
	s.must("offboard", "left", "--yes")
	s.must("offboard", "blocked", "--block", "--yes")

	reads := func() string {
		t.Helper()
		text := ""
		for _, name := range []string{"left", "blocked", "stays"} {
			text += fmt.Sprintf("%s %v ", name, mayListPods(t, s.path("T", name+".kubeconfig"), "team-back"))
		}
		return text
	}
	again := s.run(append(run, "-o", "json")...)
	s.check(again, expect{6, []string{
		"not onboarded: left (line 4): user-offboarded: the user \"left\" was offboarded", "not onboarded: blocked (line 5): user-blocked: the user \"blocked\" is blocked",
		"allow: [user-offboarded]", "another user name", "--to-group", "3 users: 1 had a kubeconfig already, 2 not onboarded",
	}})
	if report := reportOf(t, again); report.Users[0].State != "failed" || report.Users[1].State != "failed" || report.Users[2].State != "unchanged" {
		t.Errorf("%q", report.states())
	}
	if got, want := reads(), "left false blocked false stays true "; got != want {
		t.Errorf("after the second run: %s, want %s", got, want)
	}
	// Nor from another directory, where nobody has a kubeconfig.
	s.check(s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T2"), expect{6, []string{"not onboarded: left (line 4)", "not onboarded: blocked (line 5)"}})
	if got, want := reads(), "left false blocked false stays true "; got != want {
		t.Errorf("after a run in another directory: %s, want %s", got, want)
	}

	s.write("team.yaml", strings.Replace(file, "{name: left,", "{name: left, allow: [user-offboarded],", 1))
	s.check(s.run(run...), expect{6, []string{"not onboarded: blocked (line 5)", "3 users: 2 had a kubeconfig already, 1 not onboarded"}})
	if got, want := reads(), "left true blocked false stays true "; got != want {
		t.Errorf("after the file allows it: %s, want %s", got, want)
	}
}

func TestLeaving_NoDoorGivesRightsBackUnasked(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.namespace("doors")
	role := []string{"--clusterrole", "view", "-n", "doors"}
	s.must("new-user", "rita", "-g", "doors-group", "--approve", "--dir", "old")
	old := s.path("old", "rita.kubeconfig")
	s.must("offboard", "rita", "--block", "--yes")
	s.must("new-user", "rita", "-g", "doors-group", "--dir", "new")
	pending := objectName(s.must("new-user", "rita", "-g", "doors-group", "--dir", "new").Stdout)
	s.write("rita.csr", string(s.read("new", "rita.csr")))

	doors := func(finding string) {
		t.Helper()
		for _, arguments := range [][]string{
			{"approve", "rita", "--yes"}, {"approve", pending, "--yes"}, {"approve", "--all", "--yes"},
			{"approve", "-l", request.UserLabel + "=" + request.UserLabelValue("rita"), "--yes"},
			{"approve", "rita", "--dry-run=client"}, {"approve", "-f", "rita.csr", "--yes", "--wait=false"},
			{"new-user", "rita", "-g", "doors-group", "--approve", "--dir", "third"},
			append([]string{"grant", "rita"}, role...),
			append([]string{"grant", "rita", "--to-group"}, role...),
		} {
			result := s.run(arguments...)
			s.check(result, expect{6, []string{finding}})
			if !strings.Contains(result.Stderr, "another user name") && !strings.Contains(strings.Join(arguments, " "), "--all") && arguments[1] != "-l" {
				t.Errorf("%q offers no safe way:\n%s", arguments, result.Stderr)
			}
		}
		if state := request.StateOf(s.object("x/" + pending)); state != request.Pending {
			t.Fatalf("the request is %s", state)
		}
		readsNothing(t, finding, old)
	}
	doors("user-blocked")
	s.must("offboard", "rita", "--unblock")
	s.must("offboard", "rita", "--yes")
	// The request was denied with that; the user asks again.
	if err := requestsOf(s).Delete(t.Context(), pending, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.must("new-user", "rita", "-g", "doors-group", "--dir", "new")
	doors("user-offboarded")
	if said := s.must("offboard", "rita", "--unblock").Stdout; said != "rita not blocked; no longer recorded as offboarded\n" {
		t.Errorf("--unblock says %q", said)
	}

	// Now the name is free, and the old certificate logs in.
	s.check(s.run(append([]string{"approve", "rita", "--yes"}, role...)...), expect{6, []string{"other-certificate-valid", "(request rita-"}})
	s.check(s.run(append([]string{"approve", "rita", "--yes", "--to-group"}, role...)...), expect{6, []string{"other-certificate-valid"}})
	readsNothing(t, "after roles were refused", old)
	said := s.must("approve", "rita", "--yes")
	if !strings.Contains(said.Stderr, "warning: other-certificate-valid") {
		t.Errorf("the other certificate is not named:\n%s", said.Stderr)
	}
	s.must("fetch", "rita", "--dir", "new")
	s.check(s.run(append([]string{"grant", "rita"}, role...)...), expect{6, []string{"other-certificate-valid", "--allow other-certificate-valid"}})
	s.check(s.run(append([]string{"grant", "rita", "--allow", "weak-key"}, role...)...), expect{2, []string{"weak-key"}})
	readsNothing(t, "after a grant was refused", old)

	s.must(append([]string{"grant", "rita", "--allow", "other-certificate-valid"}, role...)...)
	// What exists already revives nothing.
	s.must(append([]string{"grant", "rita"}, role...)...)
}

func TestLeaving_ARenewalIsNotTakenForAnotherCertificate(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.must("new-user", "rosa", "-g", "rosa-group", "--approve", "--dir", "D", "--renewable")
	own := *s
	own.env.Kubeconfig = s.path("D", "rosa.kubeconfig")
	own.must("renew", "--wait=false")
	said := s.must("approve", "rosa", "--yes", "--clusterrole", "view", "-n", "default")
	if strings.Contains(said.Stderr, "other-certificate-valid") {
		t.Errorf("a renewal is taken for another certificate:\n%s", said.Stderr)
	}
	own.must("renew", "--timeout", "20s")
	s.must("grant", "rosa", "--clusterrole", "edit", "-n", "default")
}

func TestLeaving_TheReportNamesWhatStillGivesSomething(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.namespace("report")
	bindings := s.client().RbacV1().RoleBindings("report")
	for name, subject := range map[string]rbacv1.Subject{"by-hand": user("thea"), "of-group": group("thea-group"), "of-others": group("never-theirs")} {
		_, err := bindings.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: []rbacv1.Subject{subject},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.client().RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "acts-as-thea"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"users"}, Verbs: []string{"impersonate"}, ResourceNames: []string{"thea"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.must("grant", "helper", "--clusterrole", "acts-as-thea")
	s.must("new-user", "thea", "-g", "thea-group", "--approve", "--dir", "D", "--clusterrole", "view", "-n", "report")

	said := s.must("offboard", "thea", "--block", "--certificate", s.path("D", "thea.kubeconfig"), "--yes").Stdout
	own, byGroup := strings.Index(said, "by the user's own name: ClusterRole/edit in report (rolebinding.rbac.authorization.k8s.io/by-hand in report)"), strings.Index(said, `by the group "thea-group": ClusterRole/edit in report`)
	if own < 0 || byGroup < own || !strings.Contains(said, "by the user's own name: ClusterRole/view in report") {
		t.Errorf("the user's own bindings do not come first:\n%s", said)
	}
	for _, text := range []string{
		"as every user who is logged in (system:authenticated): ", "kubectl csr-onboard offboard thea --block", `can act as the user by impersonation: the user "helper"`,
		"tokens of service accounts, which no block of the user refuses: ClusterRole/edit in report",
	} {
		if !strings.Contains(said, text) {
			t.Errorf("the report does not say %q:\n%s", text, said)
		}
	}
	if strings.Contains(said, "never-theirs") || strings.Contains(said, "unknown") {
		t.Errorf("the report speaks of groups that the user does not have, or calls them unknown:\n%s", said)
	}
	said = s.must("offboard", "thea", "--yes").Stdout
	if strings.Contains(said, "own name") {
		t.Errorf("the report names bindings that were taken away:\n%s", said)
	}
	if said := s.must("offboard", "unseen", "--block", "--yes").Stdout; !strings.Contains(said, "by groups: unknown, since no certificate of the user is known") || strings.Contains(said, "from the groups") {
		t.Errorf("the groups of a user of whom nothing is known:\n%s", said)
	}
}

// blockList reads the list.
func blockList(s *session) map[string]string {
	s.t.Helper()
	list, err := s.client().CoreV1().ConfigMaps("kube-system").Get(s.t.Context(), "csr-onboard-blocked", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return list.Data
}

func TestLeaving_NeitherALongNameNorALongListEvadesABlock(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.must("offboard", "first", "--block", "--yes")
	before := len(blockList(s))
	long := strings.Repeat("x", 15000)
	s.check(s.run("offboard", long, "--block", "--yes"), expect{6, []string{"the name has 15000 bytes, and the policy looks up names of at most 117"}})
	edge := strings.Repeat("e", access.MaximumBlockedName)
	s.check(s.run("offboard", edge+"e", "--block", "--yes"), expect{6, []string{"the policy looks up names of at most 117"}})
	if after := len(blockList(s)); after != before {
		t.Errorf("what was refused was written: %d entries, and before %d", after, before)
	}
	for _, name := range []string{edge, "zoë å/../佐藤"} {
		s.must("offboard", name, "--block", "--yes")
		if !isRefusedByBlockAs(t, s.client(), name) {
			t.Errorf("%q is not blocked", name)
		}
	}

	var entries []access.Entry
	for i := range 3000 {
		name := fmt.Sprintf("entry-%d", i)
		entries = append(entries, access.Entry{Blocked: access.Blocked{User: name}, Details: access.Details{User: name}})
	}
	if err := connect(t, s).Blocking().Block(t.Context(), time.Now(), false, entries[0].Blocked, entries...); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"entry-0", "entry-2999", "first", edge} {
		if !becomesRefused(t, s.client(), name) {
			t.Errorf("%s is not blocked", name)
		}
	}
	// The attack: a name that makes the comparison with every entry too expensive.
	for _, name := range []string{long, "entry-3000", "system:kube-scheduler", edge + "e"} {
		if err := writeAs(t.Context(), s.client(), name); err != nil {
			t.Errorf("a user who is not blocked is refused: %.200v", err)
		}
	}
	entries = nil
	for i := range 1500 {
		name := fmt.Sprintf("%s-%d", strings.Repeat("y", 100), i)
		entries = append(entries, access.Entry{Blocked: access.Blocked{User: name}, Details: access.Details{User: name}})
	}
	before = len(blockList(s))
	err := connect(t, s).Blocking().Block(t.Context(), time.Now(), false, entries[0].Blocked, entries...)
	if err == nil || !strings.Contains(err.Error(), "a ConfigMap has at most 1048576") || len(blockList(s)) != before {
		t.Errorf("a list that is too large: %v", err)
	}
}

func TestLeaving_EntriesOfTheEarlierFormStayInForce(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	admin := s.client()
	for _, arguments := range [][]string{
		{"apply", "--server-side", "--field-manager", access.ManagedByValue, "-f", filepath.Join("..", "fixture", "earlier", "block.yaml")},
		{"-n", "kube-system", "patch", "configmap", access.BlockName, "-p", `{"data":{"user.0123456789abcdefghij0123456789ac":"user:hedi","note":"kept"}}`},
	} {
		if err := s.plane.Kubectl(t.Context(), "", arguments...); err != nil {
			t.Fatal(err)
		}
	}
	if !becomesRefused(t, admin, "hugo") {
		t.Fatal("the earlier policy is not in force")
	}
	s.check(s.run("grant", "hugo", "--clusterrole", "view"), expect{6, []string{"user-blocked"}})
	if said := s.must("offboard", "hedi", "--unblock").Stdout; said != "hedi unblocked\n" {
		t.Errorf("an entry of the earlier form: %q", said)
	}

	// While the list and the policy are converted, no write goes through.
	watching, stop := context.WithCancel(t.Context())
	through := make(chan error, 1)
	go func() {
		defer close(through)
		for watching.Err() == nil {
			if err := writeAs(watching, admin, "hugo"); err == nil {
				through <- fmt.Errorf("a write went through")
				return
			}
		}
	}()
	s.must("offboard", "other", "--block", "--yes")
	stop()
	if err := <-through; err != nil {
		t.Error(err)
	}
	data := blockList(s)
	if data["user-6875676f"] != "user:hugo" || data["note"] != "kept" || data["user.ficjad2luiuaa3gkt4f5esekf5r4bncf"] != "" || data["credential.h6cvtqtfikujj2edk6anvmymujzie7fp"] != "" {
		t.Errorf("after the next block the list is %v", data)
	}
	if !isRefusedByBlockAs(t, admin, "hugo") {
		t.Error("the earlier entry is no longer in force")
	}
	if said := s.must("offboard", "hugo", "--unblock").Stdout; said != "hugo unblocked\n" {
		t.Errorf("a converted entry: %q", said)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		return !isRefusedByBlockAs(t, admin, "hugo"), nil
	})
	if err != nil || !isRefusedByBlockAs(t, admin, "other") {
		t.Errorf("unblocking one user: %v", err)
	}
}

func TestLeaving_ABlockThatIsNotInForceIsNotCalledOne(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithAPIServerFlags("--disable-admission-plugins=ValidatingAdmissionPolicy")))
	result := s.run("offboard", "nele", "--block", "--yes")
	s.check(result, expect{1, []string{`the block of the user "nele" is not proven: writes as the user are still accepted after 10s`, "ValidatingAdmissionPolicy is not disabled"}})
	if strings.Contains(result.Stderr, "blocked the user") {
		t.Errorf("it is called blocked:\n%s", result.Stderr)
	}
}

func TestLeaving_WhatAnAdministratorCannotDoIsSaid(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t)
	s := newSession(t, plane)
	offboarding := []rbacv1.PolicyRule{
		{APIGroups: []string{certificatesv1.GroupName}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"list"}},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings", "clusterrolebindings"}, Verbs: []string{"list", "patch", "delete"}},
	}
	blocking := append([]rbacv1.PolicyRule{
		{APIGroups: []string{admissionregistrationv1.GroupName}, Resources: []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"}, Verbs: []string{"create", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "patch"}},
	}, offboarding...)
	for name, rules := range map[string][]rbacv1.PolicyRule{"no-memory": offboarding, "no-impersonation": blocking} {
		if err := plane.AddUser(t.Context(), name, nil, rules...); err != nil {
			t.Fatal(err)
		}
	}
	s.must("grant", "nora", "--clusterrole", "view")
	said := s.as("no-memory").must("offboard", "nora", "--yes")
	for _, text := range []string{"warning: the cluster does not remember that the user was offboarded", "who can impersonate the user, and whether the user could: unknown"} {
		if !strings.Contains(said.Stdout+said.Stderr, text) {
			t.Errorf("it does not say %q:\n%s%s", text, said.Stdout, said.Stderr)
		}
	}
	s.must("grant", "nora", "--clusterrole", "view")

	s.as("no-impersonation").check(s.as("no-impersonation").run("offboard", "nils", "--block", "--yes"),
		expect{1, []string{`the block of the user "nils" is not proven: `, "requires permission to impersonate"}})
	if !becomesRefused(t, s.client(), "nils") {
		t.Error("the block is not in force, although it was written")
	}
	s.check(s.run("grant", "nils", "--clusterrole", "view"), expect{6, []string{"user-blocked"}})
	if _, err := os.Stat(s.path("nils.kubeconfig")); err == nil {
		t.Error("a file was written")
	}
}
