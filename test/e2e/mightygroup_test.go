package e2e

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// A group may have every right without the name cluster-admin: here by an aggregated
// role, and behind more groups than a review tells of other findings.
func TestMightyGroup_AGroupWithEveryRightIsRefusedWhateverItsRoleIsCalled(t *testing.T) {
	s := newSession(t, shared)
	roles := s.client().RbacV1()
	const label = "e2e.csr-onboard.github.io/mighty"
	for _, role := range []*rbacv1.ClusterRole{
		{ObjectMeta: metav1.ObjectMeta{Name: "mighty-part", Labels: map[string]string{label: "true"}}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "team-tools"}, AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{label: "true"}}}}},
	} {
		if _, err := roles.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s.until("the role is aggregated", func() bool {
		role, err := roles.ClusterRoles().Get(t.Context(), "team-tools", metav1.GetOptions{})
		return err == nil && len(role.Rules) > 0
	})
	var groups []string
	bind := func(group, role string) {
		groups = append(groups, group)
		_, err := roles.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: group},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: group}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		bind(fmt.Sprintf("harmless-%d", i), "view")
	}
	bind("the-tools-team", "team-tools")
	create(t, s, "mighty", identity.User{Name: "mighty-user", Groups: groups})
	// Bindings are read from the API server's cache, which may be a moment behind.
	s.until("the review refuses", func() bool { return s.run("approve", "mighty", "--dry-run=client").Code == 6 })

	refused := s.run("approve", "mighty", "--yes")
	s.check(refused, expect{6, []string{
		`refused: admin-group: the group "the-tools-team" can do everything on this cluster, as cluster-admin can: ClusterRole/team-tools everywhere (permits everything)`,
		`error: certificate signing request "mighty" is refused: admin-group`,
	}})
	for _, group := range groups {
		if !strings.Contains(refused.Stderr+refused.Stdout, `the group "`+group+`" gives the user`) {
			t.Errorf("nothing is told of the group %s", group)
		}
	}
	arguments := []string{"new-user", "mighty-new", "--approve", "--dir", "D"}
	for _, group := range groups {
		arguments = append(arguments, "-g", group)
	}
	s.check(s.run(arguments...), expect{6, []string{"error: admin-group: "}})

	// A user who cannot list ClusterRoles is told what was not checked.
	unread := s.as(binder).run("approve", "mighty", "--dry-run=client")
	if want := "how far ClusterRoles reach could not be checked: "; !strings.Contains(unread.Stdout, want) {
		t.Errorf("want %q in\n%s%s", want, unread.Stdout, unread.Stderr)
	}
}
