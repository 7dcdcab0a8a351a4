package bindings

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// applyRenewable makes the ClusterRole with which users may renew their certificates
// (access.RenewableRole), or brings an older one of csr-onboard's to what it is now.
// exists reports whether there was one. One that is somebody else's is left alone, and an
// error. With dryRun the API server reports whether this client could make it: it has to
// hold those rights itself, or the verb escalate on ClusterRoles.
func (c *Client) applyRenewable(ctx context.Context, dryRun bool) (exists bool, _ error) {
	role := access.RenewableRole()
	doing := fmt.Sprintf("create the ClusterRole %q", role.Name)
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	there, err := c.api.RBAC.ClusterRoles().Get(call, role.Name, metav1.GetOptions{})
	switch {
	case err == nil:
		own, same := access.RenewableIs(there)
		if !own {
			return true, outcome.WithHint(
				fmt.Errorf("the ClusterRole %q already exists, and csr-onboard has not created it", role.Name),
				"look at it: %s; and delete it, or bind it yourself", identity.NewCommand("kubectl get clusterrole").Argument(role.Name).Words("-o yaml"))
		}
		if same {
			return true, nil
		}
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		// Who cannot look may still make it.
	default:
		return false, c.api.Explain(ctx, err, fmt.Sprintf("look for the ClusterRole %q", role.Name))
	}
	exists = err == nil
	encoded, err := json.Marshal(role)
	if err != nil {
		return exists, err
	}
	options := metav1.PatchOptions{FieldManager: access.ManagedByValue}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	_, err = c.api.RBAC.ClusterRoles().Patch(call, role.Name, types.ApplyPatchType, encoded, options)
	switch {
	case apierrors.IsForbidden(err):
		return exists, c.api.ExplainForbidden(ctx, err, doing,
			"it is created once for all users; ask a cluster administrator to create it: kubectl csr-onboard grant NAME --renewable")
	case apierrors.IsConflict(err):
		return exists, outcome.WithHint(c.api.Explain(ctx, err, doing), "somebody else changed it; look at it, and delete it: %s", identity.NewCommand("kubectl get clusterrole").Argument(role.Name).Words("-o yaml"))
	}
	return exists, c.api.Explain(ctx, err, doing)
}
