package access

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

func TestPowers_WhatRolesPermitToActAsOthers(t *testing.T) {
	everywhere := Grant{Role: Role{IsCluster: true, Name: "r"}}
	inDev := Grant{Role: Role{IsCluster: true, Name: "r"}, Namespace: "dev"}
	rule := func(verb, group, resource string, names ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names}
	}
	for about, test := range map[string]struct {
		rule                     rbacv1.PolicyRule
		grant                    Grant
		asJane, asAnybody, token bool
	}{
		"everything":                           {rule("*", "*", "*"), everywhere, true, true, true},
		"everything in a namespace":            {rule("*", "*", "*"), inDev, false, true, true},
		"any user":                             {rule("impersonate", "", "users"), everywhere, true, true, false},
		"that user":                            {rule("impersonate", "", "users", "jane"), everywhere, true, true, false},
		"another user":                         {rule("impersonate", "", "users", "bob"), everywhere, false, true, false},
		"a group of the user":                  {rule("impersonate", "", "groups", "dev"), everywhere, true, true, false},
		"a part of impersonation":              {rule("impersonate:user-info", "", "users"), everywhere, true, true, false},
		"service accounts in a namespace":      {rule("impersonate", "", "serviceaccounts"), inDev, false, true, false},
		"users in a namespace, which is void":  {rule("impersonate", "", "users"), inDev, false, false, false},
		"tokens":                               {rule("create", "", "serviceaccounts/token"), inDev, false, false, true},
		"secrets":                              {rule("get", "", "secrets"), inDev, false, false, true},
		"pods, which run as a service account": {rule("create", "", "pods"), inDev, false, false, true},
		"to look at pods":                      {rule("list", "", "pods"), everywhere, false, false, false},
		"secrets of another API group":         {rule("get", "example.com", "secrets"), inDev, false, false, false},
	} {
		rules := Rules{RoleIn{Role: Role{IsCluster: true, Name: "r"}}: {test.rule}}
		if got := rules.CanImpersonate(test.grant, "jane", []string{"dev"}); got != test.asJane {
			t.Errorf("%s: to act as jane: %v", about, got)
		}
		if got := rules.CanImpersonateAny(test.grant); got != test.asAnybody {
			t.Errorf("%s: to act as others: %v", about, got)
		}
		if got := rules.CanTakeTokens(test.grant); got != test.token {
			t.Errorf("%s: to take tokens: %v", about, got)
		}
	}
}
