package approval

import (
	"context"
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// takeOutcomes adds to reviews of pending requests why the approver has left them to people. A cluster
// has no approver, or does not let this client read that: then nothing is said.
func takeOutcomes(ctx context.Context, p *onboard.Program, reviews []*request.Review) {
	isPending := func(review *request.Review) bool { return review.State == request.Pending && review.Source == "" }
	if !slices.ContainsFunc(reviews, isPending) {
		return
	}
	said, err := p.Cluster.Controlling().Outcomes().Read(ctx)
	if err != nil {
		return
	}
	for _, review := range reviews {
		if one, isSaid := said[review.Object.UID]; isSaid && isPending(review) {
			review.Left = &one
		}
	}
}
