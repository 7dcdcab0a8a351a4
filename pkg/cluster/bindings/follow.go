package bindings

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
)

// Given is what one role binding gives, or how far one ClusterRole reaches.
type Given struct {
	// Key names the object among those of its kind.
	Key string
	// Grants are what a binding gives, and Reach is how far a ClusterRole reaches.
	Grants access.Grants
	Reach  access.Reach
}

// Kind is a kind of objects that say what users are given, to be listed and watched.
type Kind struct {
	// List hands over each object, and returns the list's resourceVersion.
	List func(ctx context.Context, visit func(Given)) (resourceVersion string, _ error)
	// Watch hands over each change after a resourceVersion, until the server ends the stream or
	// has dropped those changes, which is not an error, or the context ends.
	Watch func(ctx context.Context, resourceVersion string, changed func(given Given, isDeleted bool)) error
}

// ClusterBindings are the ClusterRoleBindings.
func (c *Client) ClusterBindings() Kind {
	return kindOf(c.api, c.api.RBAC.ClusterRoleBindings(), c.api.RBAC.ClusterRoleBindings().List, func(page *rbacv1.ClusterRoleBindingList) []rbacv1.ClusterRoleBinding { return page.Items },
		func(binding *rbacv1.ClusterRoleBinding) Given {
			given := Given{Key: binding.Name, Grants: access.Grants{}}
			add(given.Grants, binding.Subjects, binding.RoleRef, "")
			return given
		})
}

// NamespacedBindings are the RoleBindings of all namespaces.
func (c *Client) NamespacedBindings() Kind {
	all := c.api.RBAC.RoleBindings(metav1.NamespaceAll)
	return kindOf(c.api, all, all.List, func(page *rbacv1.RoleBindingList) []rbacv1.RoleBinding { return page.Items },
		func(binding *rbacv1.RoleBinding) Given {
			given := Given{Key: binding.Namespace + "/" + binding.Name, Grants: access.Grants{}}
			add(given.Grants, binding.Subjects, binding.RoleRef, binding.Namespace)
			return given
		})
}

// RoleReaches are how far the ClusterRoles reach.
func (c *Client) RoleReaches() Kind {
	return kindOf(c.api, c.api.RBAC.ClusterRoles(), c.api.RBAC.ClusterRoles().List, func(page *rbacv1.ClusterRoleList) []rbacv1.ClusterRole { return page.Items },
		func(role *rbacv1.ClusterRole) Given {
			return Given{Key: role.Name, Reach: access.ReachOf(role.Rules)}
		})
}

type listPage interface {
	runtime.Object
	metav1.ListInterface
}

const following = "follow what role bindings give"

func kindOf[L listPage, T any](api *connection.Connection, objects connection.Watcher, list func(context.Context, metav1.ListOptions) (L, error), items func(L) []T, givenBy func(*T) Given) Kind {
	return Kind{
		List: func(ctx context.Context, visit func(Given)) (string, error) {
			version, err := connection.EachPage(ctx, api, metav1.ListOptions{}, list, func(page L) {
				all := items(page)
				for i := range all {
					visit(givenBy(&all[i]))
				}
			})
			return version, api.Explain(ctx, err, following)
		},
		Watch: func(ctx context.Context, version string, changed func(Given, bool)) error {
			explain := func(err error) error {
				if connection.IsExpired(err) {
					return nil
				}
				return api.Explain(ctx, err, following)
			}
			return api.WatchEach(ctx, objects, metav1.ListOptions{ResourceVersion: version}, explain, nil, func(object runtime.Object, isDeleted bool) (bool, error) {
				// What a typed client watches is of its type.
				one, isOne := any(object).(*T)
				if isOne {
					changed(givenBy(one), isDeleted)
				}
				return isOne, nil
			})
		},
	}
}
