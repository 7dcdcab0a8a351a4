package onboard

import (
	"context"
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// NewUserApproved is the whole story in one run, for an administrator: submit,
// approve, fetch. It asks the cluster whether she may approve before anything
// is made.
func (p *Program) NewUserApproved(ctx context.Context, in NewUserInput, fetch FetchInput) (*Fetched, error) {
	if err := p.Cluster.CheckMayDecide(ctx); err != nil {
		return nil, err
	}
	// A certificate can't be taken back: what would keep it from being written is
	// looked for before it is issued.
	if err := p.destination(fetch.Kubeconfig, in.Folder, in.User).checkEarly(); err != nil {
		return nil, err
	}
	submitted, err := p.submit(ctx, in)
	if err != nil {
		return nil, err
	}
	review := request.ReviewOf(submitted.object)
	if review.State == request.Pending {
		for _, finding := range review.Findings {
			// Those of her name were told when it was taken.
			ofName := slices.ContainsFunc(identity.Examine(in.User), func(p identity.Problem) bool { return p.Finding == finding.Name })
			if finding.Name != request.RequestedByOther && !ofName {
				p.Tell(FindingWarned{Finding: finding})
			}
		}
		if err := review.CheckAllowed(nil); err != nil {
			return nil, err
		}
		// The object was submitted by whoever approves it.
		approved, err := p.Cluster.Decide(ctx, review, request.Approval(), p.signed(request.Approval(), "", review.Requester))
		if err != nil {
			return nil, err
		}
		p.Tell(RequestApproved{Name: approved.Name})
		submitted.object = approved
	}
	return p.collect(ctx, fetch, in.Folder, in.User, submitted)
}
