package resources

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// GuardedSince is when the API server began to guard finalizers and annotations of requests: when both
// the policy and its binding existed. It is the zero time where it does not.
func (c *Client) GuardedSince(ctx context.Context) (time.Time, error) {
	const doing = "find out whether the policy of the ledger is in force"
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	policy, err := c.api.Admission.ValidatingAdmissionPolicies().Get(call, ledger.GuardName, metav1.GetOptions{})
	if err == nil {
		binding, bindingErr := c.api.Admission.ValidatingAdmissionPolicyBindings().Get(call, ledger.GuardName, metav1.GetOptions{})
		if err = bindingErr; err == nil {
			since := policy.CreationTimestamp.Time
			if later := binding.CreationTimestamp.Time; later.After(since) {
				since = later
			}
			return since, nil
		}
	}
	if apierrors.IsNotFound(err) {
		return time.Time{}, nil
	}
	return time.Time{}, c.api.Explain(ctx, err, doing)
}
