package access

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

func TestRenewable_OnlyTheProgramsOwnRoleIsRenewable(t *testing.T) {
	if own, same := RenewableIs(RenewableRole()); !own || !same {
		t.Errorf("it does not know its own role: %v, %v", own, same)
	}
	for name, test := range map[string]struct {
		change    func(*rbacv1.ClusterRole)
		own, same bool
	}{
		"somebody else's":   {func(r *rbacv1.ClusterRole) { r.Labels = nil }, false, false},
		"an older one":      {func(r *rbacv1.ClusterRole) { r.Rules[0].Verbs = []string{"create"} }, true, false},
		"one with more":     {func(r *rbacv1.ClusterRole) { r.Rules = append(r.Rules, rbacv1.PolicyRule{Verbs: []string{"*"}}) }, true, false},
		"an aggregated one": {func(r *rbacv1.ClusterRole) { r.AggregationRule = &rbacv1.AggregationRule{} }, true, false},
	} {
		role := RenewableRole()
		test.change(role)
		if own, same := RenewableIs(role); own != test.own || same != test.same {
			t.Errorf("%s: %v, %v", name, own, same)
		}
	}
}
