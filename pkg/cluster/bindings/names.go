package bindings

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nameLimit bounds how many names are read: more than a person looks through.
const nameLimit = 2000

func namesOptions() metav1.ListOptions {
	options := fromCache()
	options.Limit = nameLimit
	return options
}

// Namespaces are the names of the cluster's namespaces.
func (c *Client) Namespaces(ctx context.Context) ([]string, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	list, err := c.api.Core.Namespaces().List(call, namesOptions())
	if err != nil {
		return nil, c.api.Explain(ctx, err, "list namespaces")
	}
	return namesOf(list.Items, func(i int) string { return list.Items[i].Name }), nil
}

// ClusterRoles are the names of the cluster's ClusterRoles.
func (c *Client) ClusterRoles(ctx context.Context) ([]string, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	list, err := c.api.RBAC.ClusterRoles().List(call, namesOptions())
	if err != nil {
		return nil, c.api.Explain(ctx, err, "list clusterroles")
	}
	return namesOf(list.Items, func(i int) string { return list.Items[i].Name }), nil
}

// Roles are the names of a namespace's Roles.
func (c *Client) Roles(ctx context.Context, namespace string) ([]string, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	list, err := c.api.RBAC.Roles(namespace).List(call, namesOptions())
	if err != nil {
		return nil, c.api.Explain(ctx, err, "list roles")
	}
	return namesOf(list.Items, func(i int) string { return list.Items[i].Name }), nil
}

func namesOf[T any](items []T, name func(i int) string) []string {
	names := make([]string, len(items))
	for i := range items {
		names[i] = name(i)
	}
	return names
}
