package access

import (
	"k8s.io/apimachinery/pkg/api/equality"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Renewable is the role of csr-onboard's own that permits its holder to renew their
// certificate: to create, get and watch certificate signing requests, and nothing
// else. There is one for all.
var Renewable = Role{IsCluster: true, Name: "csr-onboard-renewable"}

// RenewableGrant is Renewable everywhere: requests are in no namespace.
var RenewableGrant = Grant{Role: Renewable}

// RenewableRole is the ClusterRole that Renewable names.
func RenewableRole() *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: clusterRoleKind},
		ObjectMeta: metav1.ObjectMeta{
			Name:   Renewable.Name,
			Labels: map[string]string{ManagedByLabel: ManagedByValue},
		},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{certificatesv1.GroupName},
			Resources: []string{"certificatesigningrequests"},
			Verbs:     []string{"create", "get", "watch"},
		}},
	}
}

// RenewableIs says how a ClusterRole that stands under Renewable's name compares with
// it: whether it is csr-onboard's, and whether it permits the same.
func RenewableIs(there *rbacv1.ClusterRole) (own, same bool) {
	own = there.Labels[ManagedByLabel] == ManagedByValue
	return own, own && there.AggregationRule == nil && equality.Semantic.DeepEqual(there.Rules, RenewableRole().Rules)
}
