package access

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Reach is what matters most of what a ClusterRole permits.
type Reach struct {
	// verbs are those that the role permits on every resource of every API group.
	verbs verbSet
	// strong says what else in the role leads far, in words, strongest first.
	strong []string
}

// Reaches are the reaches of ClusterRoles, by name. A role that is not among them has an
// ordinary reach, or an unknown one.
type Reaches map[string]Reach

type verbSet uint16

// allVerbs are the verbs that together permit everything that matters: users who can create
// and change every object may run pods as any service account.
var allVerbs = []string{"get", "list", "watch", "create", "update", "patch", "delete"}

const everyVerb = verbSet(1)<<7 - 1

func verbsOf(rule rbacv1.PolicyRule) (set verbSet) {
	for i, verb := range allVerbs {
		if permits(rule.Verbs, verb) {
			set |= 1 << i
		}
	}
	return set
}

// strongRights are rights that lead to others', strongest first.
var strongRights = []struct {
	groups, resources, verbs []string
	says                     string
}{
	{[]string{"", "authentication.k8s.io"}, []string{"users", "groups", "serviceaccounts"}, []string{"impersonate"}, "can act as others"},
	{[]string{rbacv1.GroupName}, []string{"clusterroles", "roles"}, []string{"escalate", "bind"}, "can give any role"},
	{[]string{"certificates.k8s.io"}, []string{"signers"}, []string{"approve", "sign"}, "can approve or sign certificates"},
	{[]string{""}, []string{"nodes/proxy"}, []string{"get", "create"}, "can run commands on nodes"},
	{[]string{""}, []string{"serviceaccounts/token"}, []string{"create"}, "can create tokens of service accounts"},
	{[]string{""}, []string{"secrets"}, []string{"get", "list", "watch"}, "can read secrets"},
	{[]string{""}, []string{"pods/exec", "pods/attach", "pods/ephemeralcontainers"}, []string{"get", "create", "update", "patch"}, "can run commands in pods"},
	{[]string{"", "apps", "batch"}, []string{"pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs"}, []string{"create", "update", "patch"}, "can run pods"},
}

// ReachOf returns the reach of a role with these rules. Rules for single objects
// (resourceNames) are left out. An aggregated ClusterRole holds the rules of all its
// parts (Kubernetes pkg/controller/clusterroleaggregation).
func ReachOf(rules []rbacv1.PolicyRule) Reach {
	rules = slices.DeleteFunc(slices.Clone(rules), func(rule rbacv1.PolicyRule) bool { return len(rule.ResourceNames) > 0 })
	var reach Reach
	for _, rule := range rules {
		if slices.Contains(rule.APIGroups, rbacv1.APIGroupAll) && slices.Contains(rule.Resources, rbacv1.ResourceAll) {
			reach.verbs |= verbsOf(rule)
		}
	}
	for _, right := range strongRights {
		if slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
			return permitsAny(rule.APIGroups, right.groups) && permitsAny(rule.Resources, right.resources) && permitsAny(rule.Verbs, right.verbs)
		}) {
			reach.strong = append(reach.strong, right.says)
		}
	}
	return reach
}

// permits reports whether a list of a rule names one, itself, by "*", or by "*/" for a
// subresource.
func permits(list []string, one string) bool {
	_, subresource, hasSubresource := strings.Cut(one, "/")
	return slices.Contains(list, one) || slices.Contains(list, "*") || hasSubresource && slices.Contains(list, "*/"+subresource)
}

func permitsAny(list, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(one string) bool { return permits(list, one) })
}

// verbsEverywhere are the verbs that grants permit together on every resource of every
// API group in every namespace.
func (r Reaches) verbsEverywhere(grants []Grant) (set verbSet) {
	for _, grant := range grants {
		if grant.Namespace == "" {
			set |= r.of(grant).verbs
		}
	}
	return set
}

func (r Reaches) of(grant Grant) Reach {
	switch {
	case grant.Role == ClusterAdmin:
		return Reach{verbs: everyVerb}
	case !grant.Role.IsCluster:
		return Reach{}
	}
	return r[grant.Role.Name]
}

// PermitEverything reports whether grants together permit everything in the cluster, as
// cluster-admin does.
func (r Reaches) PermitEverything(grants []Grant) bool {
	return r.verbsEverywhere(grants) == everyVerb
}

// Contributing are the grants that permit anything on every resource everywhere.
func (r Reaches) Contributing(grants []Grant) []Grant {
	return slices.DeleteFunc(slices.Clone(grants), func(grant Grant) bool { return grant.Namespace != "" || r.of(grant).verbs == 0 })
}

// Rank orders grants by how far they reach: the lower, the farther.
func (r Reaches) Rank(grant Grant) int {
	reach := r.of(grant)
	isEverything, isEverywhere, isSystem := reach.verbs == everyVerb, grant.Namespace == "", strings.HasPrefix(grant.Namespace, "kube-")
	for rank, holds := range []bool{
		isEverywhere && isEverything,
		isEverywhere && reach.verbs != 0,
		isEverywhere && len(reach.strong) > 0,
		isSystem && isEverything,
		isSystem,
		isEverything,
		isEverywhere,
		len(reach.strong) > 0,
	} {
		if holds {
			return rank
		}
	}
	return 8
}

// RankOf is the rank of the grant that reaches farthest.
func (r Reaches) RankOf(grants []Grant) int {
	rank := 9
	for _, grant := range grants {
		rank = min(rank, r.Rank(grant))
	}
	return rank
}

// mostNamespacesTold bounds how many namespaces are told of one role.
const mostNamespacesTold = 4

// Tell says what grants give, the farthest reaching first. Every role is told, and of the
// namespaces of one role the first few; it is safe to print.
func (r Reaches) Tell(grants []Grant) string {
	ordered := slices.Clone(grants)
	slices.SortStableFunc(ordered, func(a, b Grant) int { return cmp.Compare(r.Rank(a), r.Rank(b)) })
	type place struct {
		role         Role
		isEverywhere bool
	}
	var places []place
	namespaces := map[place][]string{}
	for _, grant := range slices.Compact(ordered) {
		at := place{grant.Role, grant.Namespace == ""}
		if _, told := namespaces[at]; !told {
			places = append(places, at)
		}
		namespaces[at] = append(namespaces[at], identity.Printable(grant.Namespace))
	}
	told := make([]string, len(places))
	for i, at := range places {
		where := "everywhere"
		if !at.isEverywhere {
			where = "in " + some(namespaces[at])
		}
		told[i] = at.role.Kind() + "/" + identity.Printable(at.role.Name) + " " + where + r.describe(Grant{Role: at.role})
	}
	return strings.Join(told, ", ")
}

func (r Reaches) describe(grant Grant) string {
	reach := r.of(grant)
	switch {
	case grant.Role == ClusterAdmin:
		return ""
	case reach.verbs == everyVerb:
		return " (permits everything)"
	case reach.verbs != 0:
		var verbs []string
		for i, verb := range allVerbs {
			if reach.verbs&(1<<i) != 0 {
				verbs = append(verbs, verb)
			}
		}
		return " (permits to " + strings.Join(verbs, ", ") + " everything)"
	case len(reach.strong) > 0:
		return " (" + strings.Join(reach.strong, "; ") + ")"
	}
	return ""
}

func some(namespaces []string) string {
	if rest := len(namespaces) - mostNamespacesTold; rest > 0 {
		return strings.Join(namespaces[:mostNamespacesTold], ", ") + " and " + english.Plural(rest, "more namespace", "")
	}
	return strings.Join(namespaces, ", ")
}
