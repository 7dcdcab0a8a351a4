package requests

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// SetFinalizers replaces the finalizers of a request object in the version that was seen, and of
// no other. Where the object has changed meanwhile, the error is an outcome.ErrChanged, and where
// it does not exist any more, an outcome.ErrNotFound.
func (c *Client) SetFinalizers(ctx context.Context, object *request.Request, finalizers []string) error {
	doing := fmt.Sprintf("change the finalizers of the certificate signing request %q", object.Name)
	if finalizers == nil {
		finalizers = []string{}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": object.UID, "resourceVersion": object.ResourceVersion, "finalizers": finalizers,
	}})
	if err != nil {
		return err
	}
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	_, err = c.api.Requests.Patch(call, object.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	switch {
	case apierrors.IsConflict(err):
		return outcome.Errorf(outcome.ErrChanged, "%w", c.api.Explain(ctx, err, doing))
	case apierrors.IsNotFound(err):
		return outcome.Errorf(outcome.ErrNotFound, "%w", c.api.Explain(ctx, err, doing))
	}
	return c.api.Explain(ctx, err, doing)
}
