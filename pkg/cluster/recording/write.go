package recording

import (
	"context"
	"errors"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Circumstances reads what records of the requests on a cluster are made with: the authorities of
// clients, and since when the annotations of requests are guarded. Without either, nothing is to be
// recorded, because a record is never written again.
func Circumstances(ctx context.Context, client *cluster.Client) (ledger.Circumstances, error) {
	found := ledger.Circumstances{Source: ledger.FromCluster}
	var guardErr error
	var reading sync.WaitGroup
	reading.Go(func() { found.GuardedSince, guardErr = client.Resources().GuardedSince(ctx) })
	text, err := client.ControlPlane().ClientAuthorities(ctx)
	reading.Wait()
	if err == nil {
		err = guardErr
	}
	if err != nil {
		return ledger.Circumstances{}, err
	}
	found.Authorities = pki.ParseClientAuthorities(text)
	return found, nil
}

// Write stores a record, and has the record of the certificate that it renews say so. isNew is false
// where the record exists.
func Write(ctx context.Context, records *resources.Records, record *ledger.ClientCertificate) (isNew bool, _ error) {
	earlier, err := renewedBy(ctx, records, record)
	if err != nil {
		return false, err
	}
	record.RenewedFrom(earlier)
	if _, isNew, err = records.Create(ctx, record); err != nil {
		return false, err
	}
	if earlier != nil && earlier.Status.SupersededBy == "" {
		earlier.Status.SupersededBy = record.Name
		if _, err := records.UpdateStatus(ctx, earlier); err != nil {
			return isNew, err
		}
	}
	return isNew, nil
}

// renewedBy reads the record of what a certificate renews; nil where it renews nothing, or that
// is not on the ledger.
func renewedBy(ctx context.Context, records *resources.Records, record *ledger.ClientCertificate) (*ledger.ClientCertificate, error) {
	if record.Spec.Renews == nil || !record.Spec.Verified {
		return nil, nil
	}
	earlier, err := records.Get(ctx, record.Spec.Renews.Certificate)
	if errors.Is(err, outcome.ErrNotFound) {
		return nil, nil
	}
	return earlier, err
}
