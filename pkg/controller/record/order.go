package record

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// A record says since when its chain of renewals exists, and cannot be changed. So the record of a certificate is
// written after that of the certificate that it renews, also where several workers process a backlog.

// patience is how often a certificate waits for the record of what it renews where that cannot be written, which
// takes some ten seconds.
const patience = 8

// seeIssued takes in requests with a certificate. None is processed before all are known.
func (r *recorder) seeIssued(issued []*request.Request) {
	slices.SortStableFunc(issued, func(a, b *request.Request) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	for _, object := range issued {
		r.keep(requests.Change{Object: object})
	}
	for _, object := range issued {
		r.queue.Add(object.UID)
	}
}

// recordInOrder records the certificates of a request, after those that it renews.
func (r *recorder) recordInOrder(ctx context.Context, object *request.Request) error {
	for _, one := range r.unrecorded(object) {
		err := r.recordRequest(ctx, one)
		if err != nil && (one == object || r.queue.NumRequeues(object.UID) < patience) {
			return err
		}
	}
	return nil
}

// recordRequest records the certificates of a request.
func (r *recorder) recordRequest(ctx context.Context, object *request.Request) error {
	r.mutex.Lock()
	circumstances := r.circumstances
	r.mutex.Unlock()
	for _, record := range ledger.OfRequest(object, circumstances) {
		if err := r.record(ctx, object, record); err != nil {
			return err
		}
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, isKnown := r.latest[object.UID]; isKnown {
		r.recorded[object.UID] = true
	}
	return nil
}

// unrecorded are a request and those of the certificates that it renews which are not recorded, the one that
// was issued first before the others.
func (r *recorder) unrecorded(object *request.Request) []*request.Request {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	chain := []*request.Request{object}
	// Somebody who can write the status of requests can make a ring of them.
	isIn := map[types.UID]bool{object.UID: true}
	for {
		hash, isCertificate := request.RequesterCertificate(chain[len(chain)-1].Spec)
		uid := r.issued[hash]
		earlier, isKnown := r.latest[uid]
		if !isCertificate || !isKnown || isIn[uid] || r.recorded[uid] {
			slices.Reverse(chain)
			return chain
		}
		isIn[uid] = true
		chain = append(chain, earlier.Object)
	}
}
