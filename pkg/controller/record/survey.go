package record

import (
	"context"
	"errors"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/recording"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

const (
	// retryPause is how long a list is not asked for again that could not be read, or followed
	// for as long as provenStream: a server, or a proxy, that ends each watch at once is not
	// asked all the time.
	retryPause   = 2 * time.Second
	provenStream = 5 * time.Second
)

// followRevocations keeps the list of who is revoked, and asks for a survey when it changes.
func (r *recorder) followRevocations(ctx context.Context) {
	client := r.Cluster.Enforcement()
	take := func(listed enforcement.Listed) {
		r.mutex.Lock()
		isNew := r.revoked == nil || r.revoked.Digest() != listed.List.Digest()
		r.revoked = &listed.List
		r.mutex.Unlock()
		if !isNew {
			return
		}
		select {
		case r.surveyDue <- struct{}{}:
		default:
		}
	}
	for ctx.Err() == nil {
		begin := r.Now()
		listed, err := client.List(ctx)
		if err == nil {
			take(listed)
			err = client.Watch(ctx, listed.Version, func() {}, take)
		}
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("the list of who is revoked cannot be followed", "error", err.Error())
		}
		if err != nil || r.Now().Sub(begin) <= provenStream {
			wait(ctx, retryPause, nil)
		}
	}
}

// keepSurveying goes through all records from time to time, and when it is asked to.
func (r *recorder) keepSurveying(ctx context.Context) {
	for {
		if err := r.survey(ctx); err != nil && ctx.Err() == nil {
			r.Log.Warn("the ledger cannot be surveyed", "error", err.Error())
		}
		if !wait(ctx, surveyEvery, r.surveyDue) {
			return
		}
	}
}

// survey drops records whose time is over, marks those that are revoked, or that were recorded after what renews
// them, and counts the rest.
func (r *recorder) survey(ctx context.Context) error {
	r.mutex.Lock()
	revoked := r.revoked
	r.mutex.Unlock()
	counts := map[ledger.State]int{}
	var links ledger.Links
	_, err := r.records.EachPage(ctx, "", func(page []*ledger.ClientCertificate) error {
		for _, record := range page {
			if !r.Now().Before(record.KeepUntil(r.Retention)) {
				if err := r.records.Delete(ctx, record); err != nil {
					return err
				}
				r.Log.Info("dropped", "certificate", record.Name)
				continue
			}
			if err := r.mark(ctx, record, revoked); err != nil {
				return err
			}
			links.Add(record)
			counts[record.StateAt(r.Now())]++
		}
		return nil
	})
	if err != nil {
		return r.records.WhyNotServed(ctx, err)
	}
	for _, state := range ledger.States() {
		r.metrics.certificates.WithLabelValues(string(state)).Set(float64(counts[state]))
	}
	return recording.Link(ctx, r.records, links.Missing())
}

// mark has the status of a record say whether its certificate is revoked.
func (r *recorder) mark(ctx context.Context, record *ledger.ClientCertificate, revoked *access.List) error {
	if revoked == nil {
		return nil
	}
	isRevoked := record.IsRevokedBy(*revoked, r.Now())
	if isRevoked == record.Status.Revoked {
		return nil
	}
	record.Status.Revoked = isRevoked
	_, err := r.records.UpdateStatus(ctx, record)
	if errors.Is(err, outcome.ErrChanged) || errors.Is(err, outcome.ErrNotFound) {
		// The next survey sees it.
		return nil
	}
	return err
}
