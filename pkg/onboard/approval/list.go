package approval

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// ListInput says which requests to list.
type ListInput struct {
	// Query is what the API server selects by.
	requests.Query
	// Pending takes only requests that nobody has decided. Optional.
	Pending bool
}

func (in ListInput) takes(review *request.Review) bool {
	return !in.Pending || review.State == request.Pending
}

// List reviews the requests, in the order of their names. A request that cannot be
// decoded is a review that says so. The resourceVersion is for Follow.
func List(ctx context.Context, p *onboard.Program, in ListInput) (reviews []*request.Review, resourceVersion string, _ error) {
	resourceVersion, err := requests.EachPrepared(ctx, p.Cluster.Requests(), in.Query, request.ReviewOf, func(listed *request.Request, review *request.Review) {
		listed.Forget()
		if in.takes(review) {
			reviews = append(reviews, review)
		}
	})
	if err == nil {
		var reading sync.WaitGroup
		reading.Go(func() { takeOutcomes(ctx, p, reviews) })
		new(requesters).consider(ctx, p, reviews...)
		reading.Wait()
	}
	return reviews, resourceVersion, err
}

// consider removes the findings about requesters who can approve the requests.
func (known *requesters) consider(ctx context.Context, p *onboard.Program, reviews ...*request.Review) {
	var circumstances request.Circumstances
	known.ask(ctx, p, reviews, &circumstances)
	for _, review := range reviews {
		review.ConsiderRequester(circumstances)
	}
}

// Follow hands over each request that changes from a resourceVersion on, until
// visit fails or the context ends, which is an outcome. listed are those that were
// shown before: of these, the change that takes one out of the list is handed over
// as well. A request that is deleted is handed over as it was last.
func Follow(ctx context.Context, p *onboard.Program, in ListInput, listed []*request.Review, resourceVersion string, visit func(review *request.Review, deleted bool) error) error {
	// A list that is read again hands over what has not changed, too.
	shown := map[types.UID]string{}
	for _, review := range listed {
		shown[review.Object.UID] = review.Object.ResourceVersion
	}
	var visitErr error
	var known requesters
	err := p.Cluster.Requests().Watch(ctx, in.Query, resourceVersion, func(change requests.Change) (goOn bool) {
		review := request.ReviewOf(change.Object)
		uid, version := review.Object.UID, review.Object.ResourceVersion
		before, wasShown := shown[uid]
		if version == before {
			return true
		}
		takes := in.takes(review)
		if takes || wasShown {
			known.consider(ctx, p, review)
			visitErr = visit(review, change.Deleted)
		}
		if takes && !change.Deleted {
			shown[uid] = version
		} else {
			delete(shown, uid)
		}
		return visitErr == nil
	}, func(err error) { p.Tell(onboard.StillFollowing{Trouble: err}) })
	if visitErr != nil {
		return visitErr
	}
	return err
}
