package cluster

import (
	"context"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Grants reads what the cluster's role bindings give to users and groups. What
// this client may not list is left out, and unread says so; any other failure is
// an error.
func (c *Client) Grants(ctx context.Context) (grants request.Grants, unread string, _ error) {
	grants = request.Grants{}
	var refusals []string
	for _, read := range []func(context.Context, request.Grants) error{c.clusterRoleBindings, c.roleBindings} {
		err := read(ctx, grants)
		switch {
		case apierrors.IsForbidden(err):
			refusals = append(refusals, err.Error())
		case err != nil:
			return nil, "", c.explain(ctx, err, "read what role bindings give")
		}
	}
	return grants, strings.Join(refusals, "; "), nil
}

// fromCache has the API server answer from what it holds in memory, all at once.
// Reading the newest version would have it wait for etcd's word on every run,
// for bindings that were made in the last milliseconds.
var fromCache = metav1.ListOptions{ResourceVersion: "0"}

func (c *Client) clusterRoleBindings(ctx context.Context, grants request.Grants) error {
	call, cancel := c.bounded(ctx)
	defer cancel()
	list, err := c.rbac.ClusterRoleBindings().List(call, fromCache)
	if err != nil {
		return err
	}
	for _, binding := range list.Items {
		add(grants, binding.Subjects, binding.RoleRef, "")
	}
	return nil
}

func (c *Client) roleBindings(ctx context.Context, grants request.Grants) error {
	call, cancel := c.bounded(ctx)
	defer cancel()
	list, err := c.rbac.RoleBindings(metav1.NamespaceAll).List(call, fromCache)
	if err != nil {
		return err
	}
	for _, binding := range list.Items {
		add(grants, binding.Subjects, binding.RoleRef, binding.Namespace)
	}
	return nil
}

func add(grants request.Grants, subjects []rbacv1.Subject, role rbacv1.RoleRef, namespace string) {
	for _, subject := range subjects {
		holder := request.Holder{Name: subject.Name}
		switch subject.Kind {
		case rbacv1.UserKind:
		case rbacv1.GroupKind:
			holder.IsGroup = true
		case rbacv1.ServiceAccountKind:
			holder.Name = "system:serviceaccount:" + subject.Namespace + ":" + subject.Name
		default:
			continue
		}
		grants[holder] = append(grants[holder], request.Grant{Role: role.Kind + "/" + role.Name, Namespace: namespace})
	}
}
