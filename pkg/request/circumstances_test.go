package request

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

func clusterRole(name string) access.Grant {
	return access.Grant{Role: access.Role{IsCluster: true, Name: name}}
}

// mightyReaches are of a role that permits everything, and of two that do together.
func mightyReaches() access.Reaches {
	all := rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}
	reading, writing := all, all
	reading.Verbs, writing.Verbs = []string{"get", "list", "watch"}, []string{"create", "update", "patch", "delete"}
	return access.Reaches{
		"platform": access.ReachOf([]rbacv1.PolicyRule{all}),
		"readers":  access.ReachOf([]rbacv1.PolicyRule{reading}),
		"writers":  access.ReachOf([]rbacv1.PolicyRule{writing}),
	}
}

func TestCircumstances_AMightyGroupIsNotHiddenBehindOthers(t *testing.T) {
	user, grants := identity.User{Name: "jane"}, access.Grants{}
	for i := range 12 {
		group := fmt.Sprintf("group-%02d", i)
		user.Groups = append(user.Groups, group)
		grants[access.Holder{IsGroup: true, Name: group}] = []access.Grant{clusterRole("view")}
	}
	user.Groups = append(user.Groups, "z-mighty")
	grants[access.Holder{IsGroup: true, Name: "z-mighty"}] = []access.Grant{clusterRole("a"), clusterRole("b"), clusterRole("c"), clusterRole("d"), clusterRole("e"), clusterRole("platform")}
	found := ExamineGrants(user, grants, mightyReaches())
	if len(found) != 14 || found[0].Name != identity.AdminGroup || found[0].Severity != identity.Refused {
		t.Fatalf("the findings are %+v", found)
	}
	if want := `the group "z-mighty" gives the user: ClusterRole/platform everywhere (permits everything), ClusterRole/a everywhere`; !strings.HasPrefix(found[1].Sentence, want) {
		t.Errorf("%s\nwant %s", found[1].Sentence, want)
	}
	for _, finding := range found {
		if strings.Contains(finding.Sentence, "more of the kind") {
			t.Errorf("rights are left out: %s", finding.Sentence)
		}
	}
}

func TestCircumstances_RolesThatPermitEverythingRefuse(t *testing.T) {
	holder := func(group string) access.Holder { return access.Holder{IsGroup: true, Name: group} }
	for about, test := range map[string]struct {
		grants access.Grants
		says   string
	}{
		"cluster-admin":        {access.Grants{holder("a"): {{Role: access.ClusterAdmin}}}, `the group "a" is bound to cluster-admin`},
		"one role":             {access.Grants{holder("a"): {clusterRole("platform")}}, `the group "a" can do everything`},
		"two roles":            {access.Grants{holder("a"): {clusterRole("readers"), clusterRole("writers")}}, `the group "a" can do everything`},
		"two groups together":  {access.Grants{holder("a"): {clusterRole("readers")}, holder("b"): {clusterRole("writers")}}, "the user's groups together can do everything"},
		"a part of everything": {access.Grants{holder("a"): {clusterRole("readers")}}, ""},
	} {
		var refused []string
		for _, finding := range ExamineGrants(identity.User{Name: "jane", Groups: []string{"a", "b"}}, test.grants, mightyReaches()) {
			if finding.Severity == identity.Refused {
				refused = append(refused, finding.Name+": "+finding.Sentence)
			}
		}
		if test.says == "" && len(refused) > 0 || test.says != "" && (len(refused) != 1 || !strings.HasPrefix(refused[0], identity.AdminGroup+": "+test.says)) {
			t.Errorf("%s: %q", about, refused)
		}
	}
}

func TestCircumstances_WhatNobodyCanAllowIsToldFirst(t *testing.T) {
	var found findings
	for i := range 10 {
		found.refuse(UnknownAttribute, "attribute %d", i)
	}
	found = append(found, Finding{Name: UnknownAttribute, Severity: identity.Refused, Sentence: "the final one", Final: true})
	kept := sorted(found)
	if len(kept) != mostOfAName+1 || kept[0].Sentence != "the final one" || kept[mostOfAName].Sentence != "and 8 more of the kind" {
		t.Errorf("%+v", kept)
	}
	var groups []string
	for i := range 30 {
		groups = append(groups, fmt.Sprintf("system:%d", i))
	}
	problems := identity.Examine(identity.User{Name: "jane", Groups: append(groups, identity.MastersGroup)})
	if !strings.Contains(problems[0].Sentence, identity.MastersGroup) {
		t.Errorf("the first of 31 groups that is told: %s", problems[0].Sentence)
	}
}
