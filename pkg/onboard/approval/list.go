package approval

import (
	"context"
	"runtime"
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// ListInput says which requests to list.
type ListInput struct {
	// Query is what the API server selects by.
	cluster.Query
	// Pending takes only requests that nobody has decided. Optional.
	Pending bool
}

func (in ListInput) takes(review *request.Review) bool {
	return !in.Pending || review.State == request.Pending
}

// List reviews the requests, in the order of their names. A request that can't be
// decoded is a review that says so. The resourceVersion is for Follow.
func List(ctx context.Context, p *onboard.Program, in ListInput) (reviews []*request.Review, resourceVersion string, _ error) {
	// While one page is reviewed, the next is on its way.
	pages := make(chan []certificatesv1.CertificateSigningRequest, 1)
	var reviewing sync.WaitGroup
	reviewing.Go(func() {
		for page := range pages {
			for _, review := range reviewPage(page) {
				if in.takes(review) {
					reviews = append(reviews, review)
				}
			}
		}
	})
	resourceVersion, err := p.Cluster.EachPage(ctx, in.Query, func(page []certificatesv1.CertificateSigningRequest) { pages <- page })
	close(pages)
	reviewing.Wait()
	return reviews, resourceVersion, err
}

// reviewPage reviews objects side by side, one worker a processor, and keeps
// their order: checking a signature is most of the work of a list.
func reviewPage(page []certificatesv1.CertificateSigningRequest) []*request.Review {
	reviews := make([]*request.Review, len(page))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				reviews[i] = request.ReviewOf(&page[i])
			}
		})
	}
	for i := range page {
		next <- i
	}
	close(next)
	workers.Wait()
	return reviews
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
	var failed error
	err := p.Cluster.Watch(ctx, in.Query, resourceVersion, func(change cluster.Change) (goOn bool) {
		review := request.ReviewOf(change.Object)
		uid, version := review.Object.UID, review.Object.ResourceVersion
		before, wasShown := shown[uid]
		if version == before {
			return true
		}
		takes := in.takes(review)
		if takes || wasShown {
			failed = visit(review, change.Deleted)
		}
		if takes && !change.Deleted {
			shown[uid] = version
		} else {
			delete(shown, uid)
		}
		return failed == nil
	}, func(trouble error) { p.Tell(onboard.StillFollowing{Trouble: trouble}) })
	if failed != nil {
		return failed
	}
	return err
}
