package enforcement

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

// Report writes the report of one node, in the place of the one before.
func (c *Client) Report(ctx context.Context, report revocation.Report) error {
	const doing = "report what is in force"
	wanted, err := report.Lease()
	if err != nil {
		return err
	}
	leases := c.api.Coordination.Leases(revocation.ReportNamespace)
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	stored, err := leases.Get(call, wanted.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(call, wanted, metav1.CreateOptions{})
		return c.api.Explain(ctx, err, doing)
	}
	if err != nil {
		return c.api.Explain(ctx, err, doing)
	}
	// One enforcer alone writes it.
	wanted.UID, wanted.ResourceVersion, wanted.OwnerReferences = stored.UID, stored.ResourceVersion, stored.OwnerReferences
	_, err = leases.Update(call, wanted, metav1.UpdateOptions{})
	return c.api.Explain(ctx, err, doing)
}

// Reports reads the reports of all enforcers.
func (c *Client) Reports(ctx context.Context) ([]revocation.Report, error) {
	leases, err := c.leases(ctx, revocation.ReportLabel+"="+revocation.ReportValue, "read the reports of the enforcers")
	if err != nil {
		return nil, err
	}
	var reports []revocation.Report
	for i := range leases {
		if report, isReport := revocation.ReportOf(&leases[i]); isReport {
			reports = append(reports, report)
		}
	}
	return reports, nil
}

// identityLabel marks the Leases by which API servers say that they run (Kubernetes
// pkg/controlplane/apiserver, server.go).
const (
	identityLabel = "apiserver.kubernetes.io/identity=kube-apiserver"
	hostnameLabel = "kubernetes.io/hostname"
)

// APIServers are the API servers of the cluster, as they say themselves.
func (c *Client) APIServers(ctx context.Context) ([]revocation.APIServer, error) {
	leases, err := c.leases(ctx, identityLabel, "find the API servers of the cluster")
	if err != nil {
		return nil, err
	}
	var servers []revocation.APIServer
	for _, lease := range leases {
		if lease.Spec.RenewTime == nil {
			continue
		}
		sum := sha256.Sum256([]byte(lease.Name))
		servers = append(servers, revocation.APIServer{Name: lease.Name, ID: "sha256:" + hex.EncodeToString(sum[:]), Host: lease.Labels[hostnameLabel], Seen: lease.Spec.RenewTime.Time})
	}
	return servers, nil
}

func (c *Client) leases(ctx context.Context, selector, doing string) ([]coordinationv1.Lease, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	found, err := c.api.Coordination.Leases(revocation.ReportNamespace).List(call, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, c.api.Explain(ctx, err, doing)
	}
	return found.Items, nil
}
