package approval

import (
	"context"
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// deciders bounds how many requests are decided at once.
const deciders = 16

// decideTogether shows each request and decides it, several at once, where nobody is
// asked about any. What came of them is told in the order in which they were shown.
func (d *deciding) decideTogether(ctx context.Context, left []*request.Review) error {
	type result struct {
		object *certificatesv1.CertificateSigningRequest
		err    error
	}
	results := make([]chan result, len(left))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	tell := d.program.Tell
	var telling sync.Mutex
	aloud := *d.program
	aloud.Tell = func(event event.Event) {
		telling.Lock()
		defer telling.Unlock()
		tell(event)
	}
	together := *d
	together.program = &aloud

	// Ends what was not begun when one ends everything.
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	working.Go(func() {
		var deciding sync.WaitGroup
		places := make(chan struct{}, deciders)
		for i, review := range left {
			if ctx.Err() != nil {
				results[i] <- result{err: outcome.Errorf(outcome.ErrInterrupted, "interrupted")}
				continue
			}
			places <- struct{}{}
			together.show(review)
			deciding.Go(func() {
				object, err := together.decideOne(ctx, review)
				results[i] <- result{object, err}
				<-places
			})
		}
		deciding.Wait()
	})
	failed := 0
	aloud.Tell(onboard.Progress{Doing: d.in.Decision.Doing, Total: len(left)})
	for i, review := range left {
		one := <-results[i]
		if one.object != nil {
			d.decided = append(d.decided, Decided{Review: review, Object: one.object})
		}
		if one.err != nil {
			failed++
			if err := together.fail(one.err); err != nil {
				return err
			}
		}
		aloud.Tell(onboard.Progress{Doing: d.in.Decision.Doing, Done: i + 1, Failed: failed, Total: len(left)})
	}
	d.failures = together.failures
	return nil
}
