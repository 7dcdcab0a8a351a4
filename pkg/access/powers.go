package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// RoleIn is a role where it is: a Role has a namespace, a ClusterRole has none.
type RoleIn struct {
	Role      Role
	Namespace string
}

// Rules are what the cluster's roles permit.
type Rules map[RoleIn][]rbacv1.PolicyRule

// of are the rules that a grant gives.
func (r Rules) of(grant Grant) []rbacv1.PolicyRule {
	if grant.Role.IsCluster {
		return r[RoleIn{Role: grant.Role}]
	}
	return r[RoleIn(grant)]
}

// CanImpersonate reports whether a grant permits to act as a user or as a member of one
// of the groups. Impersonation counts everywhere or not at all, since users and groups
// are in no namespace.
func (r Rules) CanImpersonate(grant Grant, user string, groups []string) bool {
	return grant.Namespace == "" && slices.ContainsFunc(r.of(grant), func(rule rbacv1.PolicyRule) bool {
		return impersonates(rule) && (covers(rule, "", "users", user) ||
			slices.ContainsFunc(groups, func(group string) bool { return covers(rule, "", "groups", group) }))
	})
}

// CanImpersonateAny reports whether a grant permits to act as somebody else: a block of
// a user does not refuse what they write as another.
func (r Rules) CanImpersonateAny(grant Grant) bool {
	return slices.ContainsFunc(r.of(grant), func(rule rbacv1.PolicyRule) bool {
		return impersonates(rule) && (isIn(rule.Resources, "serviceaccounts") || grant.Namespace == "" && (isIn(rule.Resources, "users") || isIn(rule.Resources, "groups")))
	})
}

// CanTakeTokens reports whether a grant permits to create tokens of service accounts, or
// to read or make secrets that hold such tokens.
func (r Rules) CanTakeTokens(grant Grant) bool {
	return slices.ContainsFunc(r.of(grant), func(rule rbacv1.PolicyRule) bool {
		if !isIn(rule.APIGroups, "") {
			return false
		}
		creates := isIn(rule.Verbs, "create")
		reads := isIn(rule.Verbs, "get") || isIn(rule.Verbs, "list") || isIn(rule.Verbs, "watch")
		// A pod runs with the token of any service account of its namespace.
		return creates && (isIn(rule.Resources, "serviceaccounts/token") || isIn(rule.Resources, "pods")) ||
			(creates || reads) && isIn(rule.Resources, "secrets")
	})
}

// impersonates reports whether a rule has the verb impersonate, or one of those that
// Kubernetes has for parts of it, such as impersonate:user-info.
func impersonates(rule rbacv1.PolicyRule) bool {
	return slices.ContainsFunc(rule.Verbs, func(verb string) bool {
		return verb == rbacv1.VerbAll || verb == "impersonate" || strings.HasPrefix(verb, "impersonate:")
	})
}

func covers(rule rbacv1.PolicyRule, group, resource, name string) bool {
	return isIn(rule.APIGroups, group) && isIn(rule.Resources, resource) && (len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, name))
}

func isIn(list []string, one string) bool {
	return slices.Contains(list, one) || slices.Contains(list, rbacv1.ResourceAll)
}
