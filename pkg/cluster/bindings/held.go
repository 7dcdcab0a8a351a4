package bindings

import (
	"context"
	"encoding/json"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// HeldBy lists the bindings that name a user.
func (c *Client) HeldBy(ctx context.Context, user string) ([]access.Held, error) {
	const doing = "list role bindings"
	var held []access.Held
	take := func(meta metav1.ObjectMeta, subjects []rbacv1.Subject, role rbacv1.RoleRef) {
		one := access.Held{
			Grant:    access.Grant{Role: access.Role{IsCluster: role.Kind == "ClusterRole", Name: role.Name}, Namespace: meta.Namespace},
			Meta:     meta,
			Subjects: subjects,
		}
		if one.Of(user) {
			held = append(held, one)
		}
	}
	if _, err := connection.EachPage(ctx, c.api, metav1.ListOptions{}, c.api.RBAC.ClusterRoleBindings().List, func(page *rbacv1.ClusterRoleBindingList) {
		for _, binding := range page.Items {
			take(binding.ObjectMeta, binding.Subjects, binding.RoleRef)
		}
	}); err != nil {
		return nil, c.api.Explain(ctx, err, doing)
	}
	if _, err := connection.EachPage(ctx, c.api, metav1.ListOptions{}, c.api.RBAC.RoleBindings(metav1.NamespaceAll).List, func(page *rbacv1.RoleBindingList) {
		for _, binding := range page.Items {
			take(binding.ObjectMeta, binding.Subjects, binding.RoleRef)
		}
	}); err != nil {
		return nil, c.api.Explain(ctx, err, doing)
	}
	return held, nil
}

// Rules reads what the cluster's roles permit. Where this client cannot list them, unread
// says so; any other failure is an error.
func (c *Client) Rules(ctx context.Context) (rules access.Rules, unread string, _ error) {
	rules = access.Rules{}
	_, err := connection.EachPage(ctx, c.api, fromCache(), c.api.RBAC.ClusterRoles().List, func(page *rbacv1.ClusterRoleList) {
		for _, role := range page.Items {
			rules[access.RoleIn{Role: access.Role{IsCluster: true, Name: role.Name}}] = role.Rules
		}
	})
	if err == nil {
		_, err = connection.EachPage(ctx, c.api, fromCache(), c.api.RBAC.Roles(metav1.NamespaceAll).List, func(page *rbacv1.RoleList) {
			for _, role := range page.Items {
				rules[access.RoleIn{Role: access.Role{Name: role.Name}, Namespace: role.Namespace}] = role.Rules
			}
		})
	}
	if apierrors.IsForbidden(err) {
		return nil, err.Error(), nil
	}
	if err != nil {
		return nil, "", c.api.Explain(ctx, err, "list roles")
	}
	return rules, "", nil
}

// TakeAway deletes a binding that is csr-onboard's own, and takes the user out of
// any other, as it was seen: where it changed meanwhile, the error is an
// outcome.ErrChanged, and nothing was done. With dryRun the server only checks it.
func (c *Client) TakeAway(ctx context.Context, held access.Held, user string, dryRun bool) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	var dry []string
	if dryRun {
		dry = []string{metav1.DryRunAll}
	}
	meta := held.Meta
	doing := fmt.Sprintf("remove %s from the user %q (%s)", held.Grant, user, held)
	var err error
	if held.IsOwn(user) {
		options := metav1.DeleteOptions{DryRun: dry, Preconditions: &metav1.Preconditions{UID: &meta.UID, ResourceVersion: &meta.ResourceVersion}}
		if meta.Namespace == "" {
			err = c.api.RBAC.ClusterRoleBindings().Delete(call, meta.Name, options)
		} else {
			err = c.api.RBAC.RoleBindings(meta.Namespace).Delete(call, meta.Name, options)
		}
	} else {
		err = c.replaceSubjects(call, held, access.Without(held.Subjects, user), metav1.PatchOptions{DryRun: dry, FieldManager: access.ManagedByValue})
	}
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrChanged, "could not %s: it was changed by somebody else in the meantime", doing),
			"run the same command again")
	}
	if apierrors.IsForbidden(err) {
		return c.api.ExplainForbidden(ctx, err, doing, "this requires permission to change and delete role bindings; ask a cluster administrator")
	}
	return c.api.Explain(ctx, err, doing)
}

// replaceSubjects changes the subjects of a binding that is as it was seen, and
// nothing else of it.
func (c *Client) replaceSubjects(ctx context.Context, held access.Held, subjects []rbacv1.Subject, options metav1.PatchOptions) error {
	if subjects == nil {
		subjects = []rbacv1.Subject{}
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": held.Meta.UID, "resourceVersion": held.Meta.ResourceVersion},
		"subjects": subjects,
	})
	if err != nil {
		return err
	}
	if held.Meta.Namespace == "" {
		_, err = c.api.RBAC.ClusterRoleBindings().Patch(ctx, held.Meta.Name, types.MergePatchType, patch, options)
	} else {
		_, err = c.api.RBAC.RoleBindings(held.Meta.Namespace).Patch(ctx, held.Meta.Name, types.MergePatchType, patch, options)
	}
	return err
}
