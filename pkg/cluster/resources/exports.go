package resources

import (
	"context"
	"encoding/json"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// KeepExport keeps the head of an export on the cluster.
func (c *Client) KeepExport(ctx context.Context, head string, export ledger.Export) error {
	value, err := json.Marshal(export)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{head: string(value)}})
	if err != nil {
		return err
	}
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	_, err = c.api.Core.ConfigMaps(ledger.ExportsNamespace).Patch(call, ledger.ExportsName, types.MergePatchType, patch, metav1.PatchOptions{})
	return c.api.Explain(ctx, err, "keep the hash of the export on the cluster")
}

// KeptExport is what the cluster knows of the export with a head. isKept is false where it knows
// none.
func (c *Client) KeptExport(ctx context.Context, head string) (_ ledger.Export, isKept bool, _ error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	kept, err := c.api.Core.ConfigMaps(ledger.ExportsNamespace).Get(call, ledger.ExportsName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ledger.Export{}, false, nil
	}
	if err != nil {
		return ledger.Export{}, false, c.api.Explain(ctx, err, "read which exports were made")
	}
	var export ledger.Export
	text, isKept := kept.Data[head]
	if isKept && json.Unmarshal([]byte(text), &export) != nil {
		return ledger.Export{}, false, nil
	}
	return export, isKept, nil
}
