package recording

import (
	"context"
	"errors"
	"fmt"
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
// where the record exists. Where what it renews is not on the ledger yet, see Link.
func Write(ctx context.Context, records *resources.Records, record *ledger.ClientCertificate) (stored *ledger.ClientCertificate, isNew bool, _ error) {
	earlier, err := renewedBy(ctx, records, record)
	if err != nil {
		return nil, false, err
	}
	record.RenewedFrom(earlier)
	if stored, isNew, err = records.Create(ctx, record); err != nil {
		return nil, false, err
	}
	if earlier != nil {
		err = supersede(ctx, records, earlier, record.Name)
	}
	return stored, isNew, err
}

// renewedBy reads the record of what a certificate renews; nil where it renews nothing, or that
// is not on the ledger.
func renewedBy(ctx context.Context, records *resources.Records, record *ledger.ClientCertificate) (*ledger.ClientCertificate, error) {
	name := record.Supersedes()
	if name == "" {
		return nil, nil
	}
	earlier, err := records.Get(ctx, name)
	if errors.Is(err, outcome.ErrNotFound) {
		return nil, nil
	}
	return earlier, err
}

// Link has records say that they were renewed, which were written after what renews them. A record that
// does not exist any more is passed over.
func Link(ctx context.Context, records *resources.Records, missing []ledger.Link) error {
	for _, link := range missing {
		earlier, err := records.Get(ctx, link.Earlier)
		if err == nil {
			err = supersede(ctx, records, earlier, link.Renewal)
		}
		if err != nil && !errors.Is(err, outcome.ErrNotFound) {
			return err
		}
	}
	return nil
}

func supersede(ctx context.Context, records *resources.Records, earlier *ledger.ClientCertificate, by string) error {
	return ChangeStatus(ctx, records, earlier, func(status *ledger.Status) bool {
		if status.SupersededBy != "" {
			return false
		}
		status.SupersededBy = by
		return true
	})
}

// attempts bounds how often a status is written again that somebody else has changed.
const attempts = 10

// ChangeStatus changes the status of a record, which others may change meanwhile. change reports
// whether there is something to change.
func ChangeStatus(ctx context.Context, records *resources.Records, record *ledger.ClientCertificate, change func(*ledger.Status) bool) error {
	for range attempts {
		if !change(&record.Status) {
			return nil
		}
		_, err := records.UpdateStatus(ctx, record)
		if err == nil || !errors.Is(err, outcome.ErrChanged) {
			return err
		}
		if record, err = records.Get(ctx, record.Name); err != nil {
			return err
		}
	}
	return fmt.Errorf("the status of the client certificate %q changes all the time", record.Name)
}
