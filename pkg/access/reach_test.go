package access

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

func rule(verbs, groups, resources string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: strings.Split(verbs, ","), APIGroups: strings.Split(groups, ","), Resources: strings.Split(resources, ",")}
}

func TestReach_WhatPermitsEverything(t *testing.T) {
	one := rule("*", "*", "*")
	one.ResourceNames = []string{"x"}
	role := func(name string) Grant { return Grant{Role: Role{IsCluster: true, Name: name}} }
	inNamespace := role("all")
	inNamespace.Namespace = "dev"
	reaches := Reaches{
		"all":     ReachOf([]rbacv1.PolicyRule{rule("*", "*", "*")}),
		"listed":  ReachOf([]rbacv1.PolicyRule{rule("get,list,watch,create,update,patch,delete", "*", "*")}),
		"pieces":  ReachOf([]rbacv1.PolicyRule{rule("get,list,watch", "*", "*"), rule("create,update,patch,delete", "*", "*")}),
		"readers": ReachOf([]rbacv1.PolicyRule{rule("get,list,watch", "*", "*")}),
		"writers": ReachOf([]rbacv1.PolicyRule{rule("create,update,patch,delete", "*", "*")}),
		"one":     ReachOf([]rbacv1.PolicyRule{one}),
		"group":   ReachOf([]rbacv1.PolicyRule{rule("*", "apps", "*")}),
		"pods":    ReachOf([]rbacv1.PolicyRule{rule("*", "*", "pods")}),
	}
	for _, test := range []struct {
		about  string
		grants []Grant
		want   bool
	}{
		{"nothing", nil, false},
		{"cluster-admin", []Grant{{Role: ClusterAdmin}}, true},
		{"cluster-admin in a namespace", []Grant{{Role: ClusterAdmin, Namespace: "dev"}}, false},
		{"stars under another name", []Grant{role("all")}, true},
		{"stars in a namespace", []Grant{inNamespace}, false},
		{"all verbs by name", []Grant{role("listed")}, true},
		{"all verbs in several rules", []Grant{role("pieces")}, true},
		{"all verbs in several roles", []Grant{role("readers"), role("writers")}, true},
		{"a part of them", []Grant{role("readers")}, false},
		{"one object", []Grant{role("one")}, false},
		{"one API group", []Grant{role("group")}, false},
		{"one resource", []Grant{role("pods")}, false},
		{"a role that could not be read", []Grant{role("unknown")}, false},
		{"a Role called like one of them", []Grant{{Role: Role{Name: "all"}, Namespace: "dev"}}, false},
	} {
		if got := reaches.PermitEverything(test.grants); got != test.want {
			t.Errorf("%s: %v", test.about, got)
		}
	}
}

func TestReach_WhatReachesFarIsToldFirst(t *testing.T) {
	reaches := Reaches{
		"all":         ReachOf([]rbacv1.PolicyRule{rule("*", "*", "*")}),
		"reads":       ReachOf([]rbacv1.PolicyRule{rule("get,list", "*", "*")}),
		"secrets":     ReachOf([]rbacv1.PolicyRule{rule("get", "", "secrets")}),
		"impersonate": ReachOf([]rbacv1.PolicyRule{rule("impersonate", "", "groups")}),
		"escalate":    ReachOf([]rbacv1.PolicyRule{rule("bind", rbacv1.GroupName, "clusterroles")}),
		"proxy":       ReachOf([]rbacv1.PolicyRule{rule("get", "", "*/proxy")}),
	}
	everywhere := func(name string) Grant { return Grant{Role: Role{IsCluster: true, Name: name}} }
	var grants []Grant
	for i := range 7 {
		grants = append(grants, Grant{Role: Role{IsCluster: true, Name: "view"}, Namespace: fmt.Sprintf("ns-%d", i)})
	}
	for _, name := range []string{"view", "secrets", "proxy", "escalate", "impersonate", "reads", "all"} {
		grants = append(grants, everywhere(name))
	}
	grants = append(grants, Grant{Role: Role{Name: "local"}, Namespace: "kube-system"})
	const want = "ClusterRole/all everywhere (permits everything), ClusterRole/reads everywhere (permits to get, list everything), " +
		"ClusterRole/secrets everywhere (can read secrets), ClusterRole/proxy everywhere (can run commands on nodes), " +
		"ClusterRole/escalate everywhere (can give any role), ClusterRole/impersonate everywhere (can act as others), " +
		"Role/local in kube-system, ClusterRole/view everywhere, ClusterRole/view in ns-0, ns-1, ns-2, ns-3 and 3 more namespaces"
	if got := reaches.Tell(grants); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
