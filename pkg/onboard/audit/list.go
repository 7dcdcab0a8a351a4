package audit

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
)

// EachPage hands over the records that a query means, and tells if they have fields that this version
// does not know. A ledger of a later version is an outcome.ErrRefused.
func EachPage(ctx context.Context, p *onboard.Program, query ledger.Query, visit func([]*ledger.ClientCertificate) error) error {
	later := LaterFields{}
	err := EachPageQuietly(ctx, p, query, func(page []*ledger.ClientCertificate) error {
		for _, record := range page {
			later.add(record.LaterFields())
		}
		return visit(page)
	})
	if errors.Is(err, resources.ErrNotInstalled) {
		return whyNotInstalled(ctx, p, err)
	}
	if err == nil && later.Certificates > 0 {
		slices.Sort(later.Fields)
		p.Tell(later)
	}
	return err
}

func whyNotInstalled(ctx context.Context, p *onboard.Program, err error) error {
	records, clientErr := p.Cluster.Resources().Records()
	if clientErr != nil {
		return clientErr
	}
	return records.WhyNotServed(ctx, err)
}

// EachPageQuietly hands over the records that a query means, page after page in the order of their names,
// and tells nothing. A certificate on the list of who is revoked counts as revoked at once where the list
// can be read, and as its record says elsewhere. A ledger of a later version counts as not installed.
func EachPageQuietly(ctx context.Context, p *onboard.Program, query ledger.Query, visit func([]*ledger.ClientCertificate) error) error {
	records, err := p.Cluster.Resources().Records()
	if err != nil {
		return err
	}
	var list access.List
	var isListKnown bool
	var reading sync.WaitGroup
	reading.Go(func() { list, isListKnown = revocations(ctx, p) })
	defer reading.Wait()
	_, err = records.EachPage(ctx, query.FieldSelector(), func(page []*ledger.ClientCertificate) error {
		reading.Wait()
		var meant []*ledger.ClientCertificate
		for _, record := range page {
			if isListKnown {
				record.Status.Revoked = record.IsRevokedBy(list, p.Now())
			}
			if query.Takes(record, p.Now()) {
				record.ManagedFields = nil
				meant = append(meant, record)
			}
		}
		return visit(meant)
	})
	return err
}

// revocations is the list of who is revoked. isKnown is false where this user cannot read it.
func revocations(ctx context.Context, p *onboard.Program) (_ access.List, isKnown bool) {
	listed, err := p.Cluster.Enforcement().List(ctx)
	return listed.List, err == nil
}
