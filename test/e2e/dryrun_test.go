package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

func TestDryRun_EveryDryRunSaysSo(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "rhea", "--dir", "D")
	s.must("grant", "rhea", "--clusterrole", "view")
	for _, test := range []struct {
		arguments, note string
		// done are the words of what is only said to be done.
		done []string
	}{
		{"offboard rhea --block --dry-run=server", " (server dry run)", []string{"blocked the user", "denied rhea-", "deleted clusterrolebinding", "to be removed from rhea", "what rhea still has"}},
		{"offboard rhea --block --dry-run=client", " (dry run)", []string{"to be removed from rhea", "what rhea still has"}},
		{"offboard rhea --unblock --dry-run=server", " (server dry run)", []string{"rhea not blocked"}},
		{"offboard rhea --unblock --dry-run=client", " (dry run)", []string{"rhea not blocked"}},
		{"approve rhea --dry-run=server", " (server dry run)", []string{"/rhea-"}},
		{"approve rhea --dry-run=client", " (dry run)", []string{"nothing was approved"}},
		{"deny rhea --dry-run=server", " (server dry run)", []string{"/rhea-"}},
		{"deny rhea --dry-run=client", " (dry run)", []string{"nothing was denied"}},
		{"grant rhea --renewable --dry-run=server", " (server dry run)", []string{"clusterrolebinding.rbac", "clusterrole.rbac"}},
		{"grant rhea --renewable --dry-run=client", " (dry run)", []string{"clusterrolebinding.rbac", "clusterrole.rbac"}},
		{"new-user rhea --dir D --dry-run=client", " (dry run)", []string{"/rhea-"}},
		{"new-user rhea --dir D --dry-run=server", " (server dry run)", []string{"/rhea-"}},
	} {
		result := s.must(strings.Fields(test.arguments)...)
		lines := strings.Split(result.Stdout+result.Stderr, "\n")
		for _, done := range test.done {
			place := slices.IndexFunc(lines, func(line string) bool {
				return strings.Contains(line, done) && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "using ") && !strings.HasPrefix(line, "certificate signing request ")
			})
			if place < 0 || !strings.Contains(lines[place], test.note) {
				t.Errorf("%s: what is said of %q is no line with %q:\n%s%s", test.arguments, done, test.note, result.Stdout, result.Stderr)
			}
		}
	}
	if held, err := connect(t, s).Bindings().HeldBy(t.Context(), "rhea"); err != nil || len(held) != 1 {
		t.Errorf("a dry run took something away: %v, %v", held, err)
	}
}

func TestDryRun_AListIsAListHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	kindOf := func(arguments ...string) (kind string, items int) {
		t.Helper()
		var object struct {
			Kind  string
			Items []any
		}
		printed := s.must(arguments...).Stdout
		if err := json.Unmarshal([]byte(printed), &object); err != nil {
			t.Fatalf("%q: %v\n%s", arguments, err, printed)
		}
		return object.Kind, len(object.Items)
	}
	users := []string{"ada", "bea", "cleo"}
	for n := range len(users) {
		if kind, items := kindOf("approve", "--all", "--dry-run=client", "-o", "json"); kind != "RequestReviewList" || items != n {
			t.Errorf("of %d requests, the reviews are a %s of %d", n, kind, items)
		}
		for _, all := range [][]string{{"approve", "--all"}, {"deny", "--all"}, {"approve", "-l", "!none"}, {"deny", "-l", "!none"}} {
			if kind, items := kindOf(append(all, "--dry-run=server", "-o", "json")...); kind != "CertificateSigningRequestList" || items != n {
				t.Errorf("of %d requests, %q prints a %s of %d", n, all, kind, items)
			}
		}
		s.must("new-user", users[n], "--dir", "D")
	}
	for want, arguments := range map[string][]string{
		"RequestReview 0":                 {"approve", "ada", "--dry-run=client"},
		"RequestReviewList 2":             {"approve", "ada", "bea", "--dry-run=client"},
		"CertificateSigningRequest 0":     {"approve", "ada", "--dry-run=server"},
		"CertificateSigningRequestList 2": {"approve", "ada", "bea", "--dry-run=server"},
		"ClusterRoleBinding 0":            {"grant", "ada", "--clusterrole", "view", "--dry-run=client"},
		"List 2":                          {"grant", "ada", "--clusterrole", "view", "--clusterrole", "edit", "--dry-run=client"},
	} {
		kind, items := kindOf(append(arguments, "-o", "json")...)
		if got := fmt.Sprintf("%s %d", kind, items); got != want {
			t.Errorf("%q prints %s, want %s", arguments, got, want)
		}
	}
	s.write("one.yaml", teamHeader+"- name: dora\n")
	if kind, items := kindOf("new-user", "-f", "one.yaml", "--dry-run=client", "--dir", "T", "-o", "json"); kind != "CertificateSigningRequestList" || items != 1 {
		t.Errorf("a team of one is a %s of %d", kind, items)
	}
	// What is printed is YAML and JSON of one piece that kubectl takes.
	s.shell("kubectl csr-onboard grant ada --renewable --dry-run=client -o yaml | kubectl apply -f -")
}

func TestDryRun_ATemplateAloneIsUsedAsKubectlDoes(t *testing.T) {
	s := newSession(t, shared)
	if kind := s.must("new-user", "tilo", "--dir", "D", "--dry-run=client", "--template", "{{.kind}}").Stdout; kind != "CertificateSigningRequest" {
		t.Errorf("new-user prints %q", kind)
	}
	if kind := s.must("grant", "tilo", "--clusterrole", "view", "--dry-run=client", "--template", "{{.kind}}").Stdout; kind != "ClusterRoleBinding" {
		t.Errorf("grant prints %q", kind)
	}
	s.must("new-user", "tilo", "--dir", "D")
	s.check(s.run("approve", "tilo", "--dry-run=server", "--template", "{{.none}}", "--allow-missing-template-keys=false"), expect{1, []string{"none"}})
	s.must("approve", "tilo", "--dry-run=server", "--template", "{{.none}}")
	for _, command := range []string{"approve", "deny"} {
		for flag, want := range map[string]bool{"--show-managed-fields": true, "--show-managed-fields=false": false} {
			printed := s.must(command, "tilo", "--dry-run=server", "-o", "json", flag).Stdout
			if strings.Contains(printed, "managedFields") != want {
				t.Errorf("%s %s prints\n%s", command, flag, printed)
			}
		}
	}
}

func TestDryRun_ATeamWithRolesIsCheckedInADryRun(t *testing.T) {
	s := newSession(t, shared)
	s.namespace("team-check")
	s.write("team.yaml", teamHeader+
		"- name: check-one\n  clusterRoles: [view]\n  namespace: team-check\n"+
		"- name: check-two\n  clusterRoles: [missing-one, missing-two]\n  namespace: nowhere\n"+
		"- name: check-three\n  roles: [missing-role]\n  namespace: team-check\n"+
		"- name: check-four\n"+
		"- name: check-left\n  clusterRoles: [missing-three]\n")
	s.must("offboard", "check-left", "--block", "--yes")
	for _, dryRun := range []string{"client", "server"} {
		result := s.run("new-user", "-f", "team.yaml", "--approve", "--dry-run="+dryRun, "--dir", "T")
		s.check(result, expect{1, []string{
			"not onboarded: check-two (line 7): ", `ClusterRole "missing-one" not found`, `ClusterRole "missing-two" not found`, `namespace "nowhere" not found`,
			"not onboarded: check-three (line 10): ", `the Role "missing-role" was not found in the namespace "team-check"`,
			"not onboarded: check-left (line 14): user-blocked: ", `ClusterRole "missing-three" not found`,
			"3 of 5 users cannot be onboarded", "dry run)",
		}})
		if !strings.Contains(result.Stdout, "rolebinding.rbac.authorization.k8s.io/csr-onboard-check-one-") || strings.Count(result.Stdout, "certificatesigningrequest.certificates.k8s.io/check-") != 2 ||
			strings.Count(result.Stdout, "dry run)\n") != 3 {
			t.Errorf("--dry-run=%s prints\n%s", dryRun, result.Stdout)
		}
	}
	if names := slices.DeleteFunc(requestNames(s), func(name string) bool { return !strings.HasPrefix(name, "check-") }); len(names) > 0 {
		t.Errorf("a dry run submitted %q", names)
	}
	bindings, err := s.client().RbacV1().RoleBindings("team-check").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(bindings.Items) > 0 {
		t.Errorf("a dry run made %v, %v", bindings.Items, err)
	}

	// Somebody who cannot approve is told so, with everything else.
	s.check(s.as(requester).run("new-user", "-f", "team.yaml", "--approve", "--dry-run=client", "--dir", "U"), expect{1, []string{
		"not approved: forbidden: you cannot approve", "not onboarded: check-one (line 4): ", "not onboarded: check-three (line 10): ", "4 of 5 users cannot be onboarded",
	}})

	// Without what is missing, it says what would be made, as one list.
	s.write("team.yaml", teamHeader+"- name: check-one\n  clusterRoles: [view]\n  namespace: team-check\n")
	var list struct {
		Kind  string
		Items []struct{ Kind string }
	}
	if err := json.Unmarshal([]byte(s.must("new-user", "-f", "team.yaml", "--approve", "--dry-run=server", "--dir", "T", "-o", "json").Stdout), &list); err != nil {
		t.Fatal(err)
	}
	if list.Kind != "List" || len(list.Items) != 2 || list.Items[0].Kind != "CertificateSigningRequest" || list.Items[1].Kind != "RoleBinding" {
		t.Errorf("it prints %+v", list)
	}

	// Without a cluster, the file alone is checked, and that is said.
	s.env.Kubeconfig = ""
	if alone := s.must("new-user", "-f", "team.yaml", "--approve", "--dry-run=client", "--dir", "V"); !strings.Contains(alone.Stderr, "was not checked") {
		t.Errorf("it says\n%s", alone.Stderr)
	}
}

func TestDryRun_NothingIsSigned(t *testing.T) {
	ca := withoutCluster(t, shared)
	authorityOf(ca)
	ca.must("new-user", "unsigned", "--offline", "--dir", ".")
	sign := []string{"sign", "unsigned.csr", "--ca-cert", "ca.crt", "--ca-key", "ca.key", "--out", "unsigned.crt"}
	dry := ca.must(append(sign, "--dry-run=client")...)
	if dry.Stdout != "" || !strings.Contains(dry.Stderr, "would sign a certificate for unsigned with the CA ") || !strings.Contains(dry.Stderr, ", valid for 30d (dry run)\n") {
		t.Errorf("it says %q, %q", dry.Stdout, dry.Stderr)
	}
	for _, file := range []string{"unsigned.crt", "csr-onboard-issued.jsonl"} {
		if _, exists := ca.readIfThere(file); exists {
			t.Errorf("%s was written", file)
		}
	}
	ca.check(ca.run(append(sign, "--dry-run=server")...), expect{2, []string{"sign asks no server"}})
}

func TestDryRun_NothingIsRenewed(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "undue", "--approve", "--out", "config")
	before := s.read("config")
	dry := s.must("renew", "--kubeconfig", "config", "--dry-run=client")
	if !strings.HasSuffix(dry.Stdout, " due (dry run)\n") || !strings.Contains(dry.Stderr, "would request another certificate for undue") {
		t.Errorf("it says %q, %q", dry.Stdout, dry.Stderr)
	}
	if unchanged := s.must("renew", "--kubeconfig", "config", "--within", "1h", "--dry-run=client").Stdout; !strings.HasSuffix(unchanged, " unchanged (dry run)\n") {
		t.Errorf("of a certificate that is not due it says %q", unchanged)
	}
	if n := countRequestsOf(s, "undue-"); n != 1 || string(s.read("config")) != string(before) {
		t.Errorf("there are %d requests, and the kubeconfig changed", n)
	}
	s.check(s.run("renew", "--kubeconfig", "config", "--dry-run=server"), expect{2, []string{"--dry-run=server is not possible"}})
}
