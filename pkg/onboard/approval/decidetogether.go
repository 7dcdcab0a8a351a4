package approval

import (
	"context"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// deciders bounds how many requests are decided at once.
const deciders = 16

// decideTogether shows each request and decides it, several at once, where nobody is
// asked about any. What came of them is told in the order in which they were shown.
func (d *deciding) decideTogether(ctx context.Context, left []*request.Review) error {
	type result struct {
		object *request.Request
		err    error
	}
	tell := d.program.Tell
	var telling sync.Mutex
	aloud := *d.program
	aloud.Tell = func(e event.Event) {
		telling.Lock()
		defer telling.Unlock()
		tell(e)
	}
	together := *d
	together.program = &aloud

	begin := func(ctx context.Context, review *request.Review) func() result {
		together.show(review)
		return func() result {
			object, err := together.decideOne(ctx, review)
			return result{object, err}
		}
	}
	done, failed := 0, 0
	aloud.Tell(onboard.Progress{Doing: d.in.Decision.Doing, Total: len(left)})
	for one := range parallel.InOrder(ctx, deciders, left, begin) {
		if one.object != nil {
			d.decided = append(d.decided, Decided{Review: left[done], Object: one.object})
		}
		done++
		if one.err != nil {
			failed++
			if err := together.fail(one.err); err != nil {
				return err
			}
		}
		aloud.Tell(onboard.Progress{Doing: d.in.Decision.Doing, Done: done, Failed: failed, Total: len(left)})
	}
	if done < len(left) {
		return outcome.Errorf(outcome.ErrInterrupted, "interrupted")
	}
	d.failures = together.failures
	return nil
}
