package access

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	jane   = Holder{Name: "jane"}
	devs   = Holder{Name: "dev", IsGroup: true}
	viewer = Role{IsCluster: true, Name: "view"}
)

// Clusters hold such objects: another version must make the same, under the same names.
func TestObjects_TheObjectsOfTheProgramNeverChange(t *testing.T) {
	var got bytes.Buffer
	for _, object := range []runtime.Object{
		BlockPolicy(), BlockPolicyBinding(), BlockList(), RenewableRole(),
		Wanted{jane, Grant{Role: viewer}}.Binding(),
		Wanted{jane, Grant{Role: viewer, Namespace: "team"}}.Binding(),
		Wanted{jane, Grant{Role: Role{Name: "deployer"}, Namespace: "team"}}.Binding(),
		Wanted{devs, Grant{Role: viewer}}.Binding(),
		Wanted{devs, Grant{Role: Role{Name: "deployer"}, Namespace: "team"}}.Binding(),
		Wanted{jane, RenewableGrant}.Binding(),
	} {
		encoded, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n")
		got.Write(encoded)
	}
	const file = "testdata/objects.golden"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the objects (-want +got; -update writes them):\n%s", diff)
	}
}

func TestObjects_GrantsAndHoldersAreShown(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{jane.String(), `the user "jane"`},
		{devs.String(), `the group "dev"`},
		{Grant{Role: viewer}.String(), "ClusterRole/view everywhere"},
		{Grant{Role: Role{Name: "a\x1b"}, Namespace: "b\x1b"}.String(), `Role/a\x1b in b\x1b`},
		{Wanted{jane, Grant{Role: viewer}}.Resource(), "clusterrolebinding.rbac.authorization.k8s.io"},
		{Wanted{jane, Grant{Role: viewer, Namespace: "team"}}.Resource(), "rolebinding.rbac.authorization.k8s.io"},
		{Blocked{User: "jane"}.String(), `the user "jane"`},
		{Blocked{CredentialID: CredentialID([]byte{0xab, 1})}.String(), "the certificate X509SHA256=ab01"},
		{Held{Meta: metav1.ObjectMeta{Name: "a\x1b"}}.String(), `clusterrolebinding.rbac.authorization.k8s.io/a\x1b`},
		{Held{Meta: metav1.ObjectMeta{Name: "a", Namespace: "b\x1b"}}.String(), `rolebinding.rbac.authorization.k8s.io/a in b\x1b`},
		{Details{}.String(), ""},
		{Details{By: "ad min", At: now}.String(), `2026-11-26T12:00:00Z by "ad min"`},
	} {
		if test.got != test.want {
			t.Errorf("it is %s, want %s", test.got, test.want)
		}
	}
}

func subject(kind, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: kind, APIGroup: rbacv1.GroupName, Name: name}
}

func TestObjects_ABindingIsOurOwnIfItIsMarkedAndNamesTheUserAlone(t *testing.T) {
	own := func() Held {
		binding, _ := Wanted{jane, Grant{Role: viewer}}.Binding().(*rbacv1.ClusterRoleBinding)
		return Held{Grant: Grant{Role: viewer}, Meta: binding.ObjectMeta, Subjects: binding.Subjects}
	}
	for _, test := range []struct {
		about     string
		change    func(*Held)
		of, isOwn bool
	}{
		{"our own", func(*Held) {}, true, true},
		{"no label", func(h *Held) { h.Meta.Labels = nil }, true, false},
		{"the label of another program", func(h *Held) { h.Meta.Labels = map[string]string{ManagedByLabel: "helm"} }, true, false},
		{"no annotation", func(h *Held) { h.Meta.Annotations = nil }, true, false},
		{"the annotation of another user", func(h *Held) { h.Meta.Annotations = map[string]string{UserAnnotation: "bob"} }, true, false},
		{"the annotation of a group", func(h *Held) { h.Meta.Annotations = map[string]string{GroupAnnotation: "jane"} }, true, false},
		{"a second user", func(h *Held) { h.Subjects = append(h.Subjects, subject("User", "bob")) }, true, false},
		{"the user twice", func(h *Held) { h.Subjects = append(h.Subjects, h.Subjects...) }, true, true},
		{"a group of the same name too", func(h *Held) { h.Subjects = append(h.Subjects, subject("Group", "jane")) }, true, false},
		{"a group of the same name alone", func(h *Held) { h.Subjects = []rbacv1.Subject{subject("Group", "jane")} }, false, false},
		{"another user alone", func(h *Held) { h.Subjects = []rbacv1.Subject{subject("User", "bob")} }, false, false},
		{"nobody", func(h *Held) { h.Subjects = nil }, false, false},
	} {
		held := own()
		test.change(&held)
		if held.Of("jane") != test.of || held.IsOwn("jane") != test.isOwn {
			t.Errorf("%s: of jane %v, own %v", test.about, held.Of("jane"), held.IsOwn("jane"))
		}
	}
}

func TestObjects_OnlyTheUserIsLeftOutOfABinding(t *testing.T) {
	account := rbacv1.Subject{Kind: "ServiceAccount", Name: "jane", Namespace: "team"}
	got := Without([]rbacv1.Subject{subject("Group", "jane"), subject("User", "jane"), account, subject("User", "Jane"), subject("User", "jane")}, "jane")
	if diff := cmp.Diff([]rbacv1.Subject{subject("Group", "jane"), account, subject("User", "Jane")}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestObjects_NamesThatNothingCanHaveAreErrors(t *testing.T) {
	for name, isName := range map[string]bool{"": true, "team": true, "Team": false, "a/b": false, "-a": false} {
		if err := CheckNamespace(name); (err == nil) != isName {
			t.Errorf("the namespace %q: %v", name, err)
		}
	}
	for _, test := range []struct {
		isCluster bool
		name      string
		namespace string
		want      string // A part of the error; "" if there is none.
	}{
		{true, "view", "", ""},
		{true, "system:node", "team", ""},
		{false, "deployer", "team", ""},
		{false, "deployer", "", "in a namespace, and none is named"},
		{true, "", "", `"" is not a valid ClusterRole name`},
		{false, "a/b", "team", `"a/b" is not a valid Role name`},
		{true, "a\x1b", "", `"a\x1b" is not a valid ClusterRole name`},
		{true, "..", "", "is not a valid ClusterRole name"},
	} {
		grants, err := GrantsOf(test.isCluster, []string{"first", test.name}, test.namespace)
		if test.want == "" {
			want := []Grant{{Role{test.isCluster, "first"}, test.namespace}, {Role{test.isCluster, test.name}, test.namespace}}
			if diff := cmp.Diff(want, grants); diff != "" || err != nil {
				t.Errorf("%q: %v (-want +got):\n%s", test.name, err, diff)
			}
		} else if err == nil || grants != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, %v, want an error with %s", test.name, grants, err, test.want)
		}
	}
}

func TestObjects_WhereAGrantReaches(t *testing.T) {
	reaches := Reaches{
		"all":     ReachOf([]rbacv1.PolicyRule{rule("*", "*", "*")}),
		"reads":   ReachOf([]rbacv1.PolicyRule{rule("get", "*", "*")}),
		"secrets": ReachOf([]rbacv1.PolicyRule{rule("get", "", "secrets")}),
	}
	cluster := func(name, namespace string) Grant { return Grant{Role{IsCluster: true, Name: name}, namespace} }
	for want, grant := range []Grant{
		cluster("all", ""), cluster("reads", ""), cluster("secrets", ""), cluster("all", "kube-system"), cluster("view", "kube-public"),
		cluster("all", "team"), cluster("view", ""), cluster("secrets", "team"), cluster("view", "team"),
	} {
		if got := reaches.Rank(grant); got != want {
			t.Errorf("%s has the rank %d, want %d", grant, got, want)
		}
	}
	if got := reaches.RankOf([]Grant{cluster("view", "team"), cluster("secrets", ""), cluster("view", "")}); got != 2 {
		t.Errorf("the farthest has the rank %d", got)
	}
	if got := reaches.RankOf(nil); got != 9 {
		t.Errorf("no grant has the rank %d", got)
	}
	if got := reaches.Rank(Grant{Role{Name: "all"}, "team"}); got != 8 {
		t.Errorf("a Role that is called like a ClusterRole has the rank %d", got)
	}
	contributing := reaches.Contributing([]Grant{cluster("view", ""), cluster("reads", ""), cluster("all", "team"), cluster("all", ""), {Role: ClusterAdmin}})
	if diff := cmp.Diff([]Grant{cluster("reads", ""), cluster("all", ""), {Role: ClusterAdmin}}, contributing); diff != "" {
		t.Errorf("contributing (-want +got):\n%s", diff)
	}
}

// Each right that leads to others' is found by each of its parts, and by no other.
func TestObjects_StrongRightsAreFoundInEveryForm(t *testing.T) {
	for says, rules := range map[string][]rbacv1.PolicyRule{
		"can act as others":                     {rule("impersonate", "", "users"), rule("impersonate", "authentication.k8s.io", "groups"), rule("*", "", "serviceaccounts")},
		"can give any role":                     {rule("escalate", rbacv1.GroupName, "clusterroles"), rule("bind", rbacv1.GroupName, "roles")},
		"can approve or sign certificates":      {rule("approve", "certificates.k8s.io", "signers"), rule("sign", "certificates.k8s.io", "signers")},
		"can run commands on nodes":             {rule("get", "", "nodes/proxy"), rule("create", "", "*/proxy")},
		"can create tokens of service accounts": {rule("create", "", "serviceaccounts/token")},
		"can read secrets":                      {rule("get", "", "secrets"), rule("list", "", "secrets"), rule("watch", "", "secrets")},
		"can run commands in pods":              {rule("create", "", "pods/exec"), rule("get", "", "pods/attach"), rule("patch", "", "pods/ephemeralcontainers"), rule("update", "", "pods/exec")},
		"can run pods":                          {rule("create", "", "pods"), rule("update", "apps", "deployments"), rule("patch", "batch", "cronjobs"), rule("create", "", "replicationcontrollers")},
		"": {
			rule("get", "", "pods"), rule("get", "apps", "secrets"), rule("create", "", "secrets"), rule("get", "", "serviceaccounts/token"), rule("delete", "", "pods"),
			rule("get", "", "users"), rule("get", rbacv1.GroupName, "clusterroles"), rule("get", "certificates.k8s.io", "signers"), rule("delete", "", "nodes/proxy"),
			rule("impersonate", "apps", "users"), rule("bind", "", "clusterroles"), rule("approve", "", "signers"), rule("create", "example.com", "pods/exec"),
		},
	} {
		for _, one := range rules {
			if got := strings.Join(ReachOf([]rbacv1.PolicyRule{one}).strong, ", "); got != says {
				t.Errorf("%v: %q, want %q", one, got, says)
			}
		}
	}
}

func TestObjects_WhatOfATokenOrASecretCanBeTaken(t *testing.T) {
	for _, test := range []struct {
		verb, resource string
		want           bool
	}{
		{"create", "secrets", true}, {"get", "secrets", true}, {"list", "secrets", true}, {"watch", "secrets", true}, {"delete", "secrets", false},
		{"create", "pods", true}, {"get", "pods", false}, {"create", "serviceaccounts/token", true}, {"get", "serviceaccounts/token", false}, {"create", "configmaps", false},
	} {
		rules := Rules{RoleIn{Role{Name: "r"}, "team"}: {rule(test.verb, "", test.resource)}}
		if got := rules.CanTakeTokens(Grant{Role{Name: "r"}, "team"}); got != test.want {
			t.Errorf("%s %s: %v", test.verb, test.resource, got)
		}
		if rules.CanTakeTokens(Grant{Role{Name: "r"}, "other"}) || rules.CanTakeTokens(Grant{Role{IsCluster: true, Name: "r"}, ""}) {
			t.Errorf("%s %s: another role of the name counts", test.verb, test.resource)
		}
	}
	rules := Rules{RoleIn{Role: Role{IsCluster: true, Name: "r"}}: {rule("impersonate", "", "groups"), rule("get", "", "users")}}
	everywhere := Grant{Role: Role{IsCluster: true, Name: "r"}}
	if !rules.CanImpersonateAny(everywhere) || rules.CanImpersonateAny(Grant{everywhere.Role, "team"}) {
		t.Error("groups can be impersonated everywhere, and not in a namespace")
	}
	if rules.CanImpersonate(everywhere, "jane", nil) || !rules.CanImpersonate(everywhere, "jane", []string{"dev"}) {
		t.Error("a rule for groups is one for users, or for none")
	}
}

func TestObjects_AListHasAsManyBytesAsAConfigMapCanHave(t *testing.T) {
	entry, err := ListOf(nil).Add(now, entryFor("jane"))
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for key, value := range entry {
		size += len(key) + len(*value)
	}
	for more, fits := range map[int]bool{0: true, 1: false} {
		rest := map[string]string{"k": strings.Repeat("x", 1<<20-size-1+more)}
		if _, err := ListOf(rest).Add(now, entryFor("jane")); (err == nil) != fits {
			t.Errorf("with %d bytes more than fit: %v", more, err)
		}
	}
	if MaximumBlockedName != 117 {
		t.Errorf("names of %d bytes can be blocked", MaximumBlockedName)
	}
}

func TestObjects_TakingOffAListNamesOnlyWhatIsThere(t *testing.T) {
	data := added(t, nil, entryFor("jane"), Entry{Details: Details{User: "jane"}}, entryFor("bob"))
	change := ListOf(data).Remove(Blocked{User: "jane"})
	want := Change{"user-6a616e65": nil, "details-user-6a616e65": nil, "offboarded-6a616e65": nil}
	if diff := cmp.Diff(want, change); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if change := ListOf(data).Remove(Blocked{User: "nobody"}); len(change) != 0 {
		t.Errorf("of a user who is not listed: %v", change)
	}
	if change := ListOf(data).Remove(Blocked{CredentialID: "jane"}); len(change) != 0 {
		t.Errorf("of a certificate that is not listed: %v", change)
	}
}
