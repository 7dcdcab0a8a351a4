package bindings

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Client reads and changes roles and role bindings.
type Client struct{ api *connection.Connection }

// On makes a client that calls the API server over a connection.
func On(api *connection.Connection) *Client { return &Client{api: api} }

// Grants reads what the cluster's role bindings give to users and groups. What
// this client may not list is left out, and unread says so; any other failure is
// an error.
func (c *Client) Grants(ctx context.Context) (grants access.Grants, unread string, _ error) {
	var cluster, namespaced access.Grants
	var failed [2]error
	var reading sync.WaitGroup
	reading.Go(func() { cluster, failed[0] = c.clusterRoleBindings(ctx) })
	reading.Go(func() { namespaced, failed[1] = c.roleBindings(ctx) })
	reading.Wait()
	var refusals []string
	for _, err := range failed {
		switch {
		case apierrors.IsForbidden(err):
			refusals = append(refusals, err.Error())
		case err != nil:
			return nil, "", c.api.Explain(ctx, err, "read what role bindings give")
		}
	}
	grants = access.Grants{}
	for _, part := range []access.Grants{cluster, namespaced} {
		for holder, given := range part {
			grants[holder] = append(grants[holder], given...)
		}
	}
	return grants, strings.Join(refusals, "; "), nil
}

// KnownGrants is what role bindings give, and how far the roles reach.
type KnownGrants struct {
	Grants access.Grants
	// Unread says which bindings this client cannot list; "" if it can list all.
	Unread  string
	Reaches access.Reaches
	// ReachesUnread says why this client cannot list ClusterRoles; "" if it can.
	ReachesUnread string
}

// Missing says what of it could not be read; "" if all was.
func (k *KnownGrants) Missing() string {
	if k.Unread != "" && k.ReachesUnread != "" {
		return k.Unread + "; " + k.ReachesUnread
	}
	return k.Unread + k.ReachesUnread
}

// GrantsOf is Grants, and how far the cluster's ClusterRoles reach, where role bindings give
// one to the user or to a group of the user. The roles are many times as large as the
// bindings, and for most new users none of them matters.
func (c *Client) GrantsOf(ctx context.Context, user identity.User) (*KnownGrants, error) {
	var known KnownGrants
	var err error
	if known.Grants, known.Unread, err = c.Grants(ctx); err != nil {
		return nil, err
	}
	holders := []access.Holder{{Name: user.Name}}
	for _, group := range user.Groups {
		holders = append(holders, access.Holder{IsGroup: true, Name: group})
	}
	if !slices.ContainsFunc(holders, func(holder access.Holder) bool {
		return slices.ContainsFunc(known.Grants[holder], func(grant access.Grant) bool { return grant.Role.IsCluster })
	}) {
		return &known, nil
	}
	known.Reaches, err = c.reaches(ctx)
	return known.withReaches(ctx, c, err)
}

// withReaches takes in that ClusterRoles were read, or why not.
func (k *KnownGrants) withReaches(ctx context.Context, c *Client, err error) (*KnownGrants, error) {
	if apierrors.IsForbidden(err) {
		k.ReachesUnread, err = err.Error(), nil
	}
	return k, c.api.Explain(ctx, err, "read what roles permit")
}

// GrantsWithReach is Grants, and how far the cluster's ClusterRoles reach.
func (c *Client) GrantsWithReach(ctx context.Context) (*KnownGrants, error) {
	var (
		known               KnownGrants
		reading             sync.WaitGroup
		grantsErr, rolesErr error
	)
	reading.Go(func() { known.Grants, known.Unread, grantsErr = c.Grants(ctx) })
	reading.Go(func() { known.Reaches, rolesErr = c.reaches(ctx) })
	reading.Wait()
	if grantsErr != nil {
		return nil, grantsErr
	}
	return known.withReaches(ctx, c, rolesErr)
}

func (c *Client) reaches(ctx context.Context) (access.Reaches, error) {
	reaches := access.Reaches{}
	_, err := connection.EachPage(ctx, c.api, fromCache(), c.api.RBAC.ClusterRoles().List, func(page *rbacv1.ClusterRoleList) {
		for _, role := range page.Items {
			reaches[role.Name] = access.ReachOf(role.Rules)
		}
	})
	return reaches, err
}

// fromCache has the API server answer from what it holds in memory, all at once.
// Reading the newest version would have it wait for etcd's word on every run,
// for bindings that were made in the last milliseconds.
func fromCache() metav1.ListOptions { return metav1.ListOptions{ResourceVersion: "0"} }

func (c *Client) clusterRoleBindings(ctx context.Context) (access.Grants, error) {
	grants := access.Grants{}
	_, err := connection.EachPage(ctx, c.api, fromCache(), c.api.RBAC.ClusterRoleBindings().List, func(page *rbacv1.ClusterRoleBindingList) {
		for _, binding := range page.Items {
			add(grants, binding.Subjects, binding.RoleRef, "")
		}
	})
	return grants, err
}

func (c *Client) roleBindings(ctx context.Context) (access.Grants, error) {
	grants := access.Grants{}
	_, err := connection.EachPage(ctx, c.api, fromCache(), c.api.RBAC.RoleBindings(metav1.NamespaceAll).List, func(page *rbacv1.RoleBindingList) {
		for _, binding := range page.Items {
			add(grants, binding.Subjects, binding.RoleRef, binding.Namespace)
		}
	})
	return grants, err
}

func add(grants access.Grants, subjects []rbacv1.Subject, role rbacv1.RoleRef, namespace string) {
	for _, subject := range subjects {
		holder := access.Holder{Name: subject.Name}
		switch subject.Kind {
		case rbacv1.UserKind:
		case rbacv1.GroupKind:
			holder.IsGroup = true
		case rbacv1.ServiceAccountKind:
			holder.Name = "system:serviceaccount:" + subject.Namespace + ":" + subject.Name
		default:
			continue
		}
		grants[holder] = append(grants[holder], access.Grant{
			Role: access.Role{IsCluster: role.Kind == "ClusterRole", Name: role.Name}, Namespace: namespace,
		})
	}
}

// CheckGrant reports whether a grant could be given, without giving it: the role and
// the namespace exist, and the API server lets this client bind that role
// (Kubernetes' RBAC escalation check), which it is asked by a dry run.
func (c *Client) CheckGrant(ctx context.Context, wanted access.Wanted) error {
	if wanted.Grant.Role == access.Renewable {
		exists, err := c.applyRenewable(ctx, true)
		if err != nil || !exists {
			// A binding to a role that is not there yet cannot be tried.
			return err
		}
		return c.applyBinding(ctx, wanted, true)
	}
	if err := c.checkRole(ctx, wanted.Grant); err != nil {
		return err
	}
	return c.applyBinding(ctx, wanted, true)
}

// Missing finds what does not exist of what a grant names: its role, its namespace, or both.
// Csr-onboard's own role is made where it is missing. The error is of the looking.
func (c *Client) Missing(ctx context.Context, grant access.Grant) (missing []error, _ error) {
	if grant.Role == access.Renewable {
		return nil, nil
	}
	err := c.getRole(ctx, grant)
	switch {
	case apierrors.IsNotFound(err):
		missing = append(missing, noRole(grant))
	case err != nil:
		return nil, c.api.Explain(ctx, err, fmt.Sprintf("look for the %s %q", grant.Role.Kind(), grant.Role.Name))
	}
	if grant.Namespace == "" {
		return missing, nil
	}
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	_, err = c.api.Core.Namespaces().Get(call, grant.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		missing = append(missing, outcome.WithHint(fmt.Errorf("namespace %q not found", grant.Namespace), seeNamespaces))
	case err != nil:
		return nil, c.api.Explain(ctx, err, fmt.Sprintf("look for the namespace %q", grant.Namespace))
	}
	return missing, nil
}

const seeNamespaces = "see which there are: kubectl get namespaces"

// noRole says that a grant's role does not exist.
func noRole(grant access.Grant) error {
	if grant.Role.IsCluster {
		return outcome.WithHint(fmt.Errorf("ClusterRole %q not found", grant.Role.Name), "see which there are: kubectl get clusterroles")
	}
	return outcome.WithHint(fmt.Errorf("the Role %q was not found in the namespace %q", grant.Role.Name, grant.Namespace),
		"see which there are: %s", identity.NewCommand("kubectl get roles").Option("-n", grant.Namespace))
}

// checkRole reports whether the role exists. The API server itself lets a client bind
// a role that does not if the client may do everything. Who cannot look is left to
// the dry run.
func (c *Client) checkRole(ctx context.Context, grant access.Grant) error {
	err := c.getRole(ctx, grant)
	switch {
	case apierrors.IsNotFound(err):
		return noRole(grant)
	case apierrors.IsForbidden(err):
		return nil
	}
	return c.api.Explain(ctx, err, fmt.Sprintf("look for the %s %q", grant.Role.Kind(), grant.Role.Name))
}

func (c *Client) getRole(ctx context.Context, grant access.Grant) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	var err error
	if grant.Role.IsCluster {
		_, err = c.api.RBAC.ClusterRoles().Get(call, grant.Role.Name, metav1.GetOptions{})
	} else {
		_, err = c.api.RBAC.Roles(grant.Namespace).Get(call, grant.Role.Name, metav1.GetOptions{})
	}
	return err
}

// Version is the resourceVersion of a ClusterRole or of a role binding; "" if it does not exist or
// cannot be read.
func (c *Client) Version(ctx context.Context, object runtime.Object) string {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	var found metav1.Object
	var err error
	switch object := object.(type) {
	case *rbacv1.ClusterRole:
		found, err = c.api.RBAC.ClusterRoles().Get(call, object.Name, metav1.GetOptions{})
	case *rbacv1.ClusterRoleBinding:
		found, err = c.api.RBAC.ClusterRoleBindings().Get(call, object.Name, metav1.GetOptions{})
	case *rbacv1.RoleBinding:
		found, err = c.api.RBAC.RoleBindings(object.Namespace).Get(call, object.Name, metav1.GetOptions{})
	default:
		return ""
	}
	if err != nil {
		return ""
	}
	return found.GetResourceVersion()
}

// ApplyGrant makes the binding that gives a grant, by server-side apply; where it
// already exists, nothing changes.
func (c *Client) ApplyGrant(ctx context.Context, wanted access.Wanted) error {
	if wanted.Grant.Role == access.Renewable {
		if _, err := c.applyRenewable(ctx, false); err != nil {
			return err
		}
	}
	return c.applyBinding(ctx, wanted, false)
}

func (c *Client) applyBinding(ctx context.Context, wanted access.Wanted, dryRun bool) error {
	encoded, err := json.Marshal(wanted.Binding())
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{FieldManager: access.ManagedByValue}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	if wanted.Grant.Namespace == "" {
		_, err = c.api.RBAC.ClusterRoleBindings().Patch(call, wanted.Name(), types.ApplyPatchType, encoded, options)
	} else {
		_, err = c.api.RBAC.RoleBindings(wanted.Grant.Namespace).Patch(call, wanted.Name(), types.ApplyPatchType, encoded, options)
	}
	doing := fmt.Sprintf("give %s to %s", wanted.Grant, wanted.Holder)
	switch {
	case apierrors.IsNotFound(err):
		return outcome.WithHint(fmt.Errorf("could not %s: namespace %q not found", doing, wanted.Grant.Namespace), seeNamespaces)
	case apierrors.IsForbidden(err):
		return c.api.ExplainForbidden(ctx, err, doing,
			"this requires permission to create and patch role bindings, and either every permission of that role or the verb bind on it; ask a cluster administrator")
	case apierrors.IsConflict(err):
		return outcome.WithHint(c.api.Explain(ctx, err, doing), "somebody else changed %s/%s; look at it, and delete it or name another role", wanted.Resource(), wanted.Name())
	}
	return c.api.Explain(ctx, err, doing)
}
