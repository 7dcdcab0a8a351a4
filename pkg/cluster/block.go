package cluster

import (
	"context"
	"encoding/json"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// needToBlock names the rights that blocking takes.
const needToBlock = `it takes create and patch on validatingadmissionpolicies and validatingadmissionpolicybindings, and on configmaps in ` + access.BlockNamespace + `; ask a cluster administrator`

// Block has the API server refuse what an identity writes: it puts the identity on
// the list, and policy and binding into force. What is there already stays.
// Clusters before Kubernetes 1.30 can't.
func (c *Client) Block(ctx context.Context, blocked access.Blocked, dryRun bool) error {
	options := metav1.PatchOptions{FieldManager: fieldManager}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	steps := []func(context.Context) error{
		func(call context.Context) error {
			return applied(access.BlockPolicy(), func(encoded []byte) error {
				_, err := c.admission.ValidatingAdmissionPolicies().Patch(call, access.BlockName, types.ApplyPatchType, encoded, options)
				return err
			})
		},
		func(call context.Context) error { return c.list(call, blocked, options) },
		func(call context.Context) error {
			return applied(access.BlockPolicyBinding(), func(encoded []byte) error {
				_, err := c.admission.ValidatingAdmissionPolicyBindings().Patch(call, access.BlockName, types.ApplyPatchType, encoded, options)
				return err
			})
		},
	}
	for _, step := range steps {
		call, cancel := c.bounded(ctx)
		err := step(call)
		cancel()
		doing := "block " + blocked.String()
		switch {
		case apierrors.IsForbidden(err):
			return outcome.ReplaceHint(c.explain(ctx, err, doing), needToBlock)
		case apierrors.IsNotFound(err):
			return outcome.WithHint(c.explain(ctx, err, doing), "blocking takes ValidatingAdmissionPolicy in admissionregistration.k8s.io/v1, Kubernetes 1.30 and later")
		case err != nil:
			return c.explain(ctx, err, doing)
		}
	}
	return nil
}

func applied(object any, send func([]byte) error) error {
	encoded, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return send(encoded)
}

// list adds one entry to the list of who is blocked and leaves the others alone.
// The list is made where there is none.
func (c *Client) list(ctx context.Context, blocked access.Blocked, options metav1.PatchOptions) error {
	entry := map[string]string{blocked.Key(): blocked.Value()}
	patch, err := json.Marshal(map[string]any{"data": entry})
	if err != nil {
		return err
	}
	lists := c.core.ConfigMaps(access.BlockNamespace)
	_, err = lists.Patch(ctx, access.BlockName, types.MergePatchType, patch, options)
	if !apierrors.IsNotFound(err) {
		return err
	}
	fresh := access.BlockList()
	fresh.Data = entry
	_, err = lists.Create(ctx, fresh, metav1.CreateOptions{FieldManager: options.FieldManager, DryRun: options.DryRun})
	if apierrors.IsAlreadyExists(err) {
		_, err = lists.Patch(ctx, access.BlockName, types.MergePatchType, patch, options)
	}
	return err
}

// Unblock takes an identity from the list, and says whether it was on it.
func (c *Client) Unblock(ctx context.Context, blocked access.Blocked, dryRun bool) (was bool, _ error) {
	doing := "unblock " + blocked.String()
	call, cancel := c.bounded(ctx)
	defer cancel()
	list, err := c.core.ConfigMaps(access.BlockNamespace).Get(call, access.BlockName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, c.explain(ctx, err, doing)
	}
	if _, listed := list.Data[blocked.Key()]; !listed {
		return false, nil
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]any{blocked.Key(): nil}})
	if err != nil {
		return true, err
	}
	options := metav1.PatchOptions{FieldManager: fieldManager}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	_, err = c.core.ConfigMaps(access.BlockNamespace).Patch(call, access.BlockName, types.MergePatchType, patch, options)
	if apierrors.IsForbidden(err) {
		return true, outcome.ReplaceHint(c.explain(ctx, err, doing), needToBlock)
	}
	return true, c.explain(ctx, err, doing)
}
