// Package access knows what role bindings (rbac.authorization.k8s.io/v1) give to
// users and groups: what stands in the cluster's bindings, and the bindings that
// csr-onboard makes.
//
// It is pure. A binding of csr-onboard's is owned by it: a name that is derived
// from what it gives, a label, and an annotation with the holder's exact name, so
// that it can be made twice without a change, and taken away again without asking
// what else it held. It refuses to name a holder that no binding of its own has.
package access

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Holder is a user or a group, as the subject of a role binding.
type Holder struct {
	// IsGroup tells a group from a user of the same name.
	IsGroup bool
	// Name is the user's or the group's name.
	Name string
}

// String is for a person's eyes.
func (h Holder) String() string {
	if h.IsGroup {
		return "the group " + identity.Quote(h.Name)
	}
	return "the user " + identity.Quote(h.Name)
}

// Role is a Role or a ClusterRole.
type Role struct {
	// IsCluster tells a ClusterRole from a Role, which is in a namespace.
	IsCluster bool
	// Name is the role's name.
	Name string
}

// Kind is the role's kind in the API.
func (r Role) Kind() string {
	if r.IsCluster {
		return clusterRoleKind
	}
	return roleKind
}

const (
	clusterRoleKind = "ClusterRole"
	roleKind        = "Role"
)

// ClusterAdmin is the role that permits everything, as Kubernetes' bootstrap
// policy has it.
var ClusterAdmin = Role{IsCluster: true, Name: "cluster-admin"}

// Grant is what one role binding gives.
type Grant struct {
	// Role is what is given.
	Role Role
	// Namespace is where it counts; "" is everywhere, which only a ClusterRole
	// can.
	Namespace string
}

// String is for a person's eyes.
func (g Grant) String() string {
	role := g.Role.Kind() + "/" + identity.Printable(g.Role.Name)
	if g.Namespace == "" {
		return role + " everywhere"
	}
	return role + " in " + identity.Printable(g.Namespace)
}

// Grants is what the cluster's role bindings give to whom.
type Grants map[Holder][]Grant
