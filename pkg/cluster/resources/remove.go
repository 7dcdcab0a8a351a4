package resources

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// Sighting is what the recorder that leads has last said of itself. Two of them are equal if it has said
// nothing between them.
type Sighting struct {
	// At is when it has, by its own clock, and Version the Lease's resourceVersion. Both are zero where no
	// recorder ever has.
	At      time.Time
	Version string
}

// RecorderSeen is what the recorder that leads has last said.
func (c *Client) RecorderSeen(ctx context.Context) (Sighting, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	lease, err := c.api.Coordination.Leases(ledger.RecorderNamespace).Get(call, ledger.RecorderLease, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && lease.Spec.RenewTime == nil {
		return Sighting{}, nil
	}
	if err != nil {
		return Sighting{}, c.api.Explain(ctx, err, "find out whether a recorder runs")
	}
	return Sighting{At: lease.Spec.RenewTime.UTC(), Version: lease.ResourceVersion}, nil
}

// RemovePolicies removes what makes the API server hold and guard requests. What does not exist is
// no error.
func (c *Client) RemovePolicies(ctx context.Context) error {
	remove := func(one func(context.Context, string, metav1.DeleteOptions) error, name string) error {
		call, cancel := c.api.Bounded(ctx)
		defer cancel()
		// An older release does not serve the resource at all, which is not found as well.
		if err := one(call, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return c.api.Explain(ctx, err, "remove the policies of the ledger")
		}
		return nil
	}
	admission := c.api.Admission
	for _, name := range ledger.StampNames() {
		if err := remove(admission.MutatingAdmissionPolicyBindings().Delete, name); err != nil {
			return err
		}
		if err := remove(admission.MutatingAdmissionPolicies().Delete, name); err != nil {
			return err
		}
	}
	if err := remove(admission.ValidatingAdmissionPolicyBindings().Delete, ledger.GuardName); err != nil {
		return err
	}
	return remove(admission.ValidatingAdmissionPolicies().Delete, ledger.GuardName)
}
