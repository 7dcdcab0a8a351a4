package team

import (
	"context"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/recording"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
)

const (
	// submitters bounds how many users are submitted and approved at once: enough to
	// keep an API server busy.
	submitters = 16
	// receivers bounds how many certificates are checked and written at once.
	receivers = 8
)

// run takes every user to an end, in two stages with the signer in between: preparing and
// receiving. What is kept of a user in between is the place in the file.
func run(parent context.Context, facts *circumstances, found *rehearsal) ([]Result, error) {
	ctx, cancel := context.WithCancel(parent)
	var stages sync.WaitGroup
	defer stages.Wait()
	defer cancel()
	var awaited *waiting
	if facts.in.collects() {
		var err error
		if awaited, err = facts.await(ctx); err != nil {
			return nil, err
		}
	}
	f := newFollowing(facts.session, awaited)
	if awaited != nil {
		second := &receiving{session: facts.session, standby: recording.BeginStandby(ctx, facts.program.Cluster, facts.program.Now)}
		if facts.in.VerifyLogin {
			second.prove = newProof(ctx, facts.program).prove
		}
		stages.Go(func() {
			parallel.Each(ctx, receivers, awaited.Ended(), func(ending requests.Ending) {
				result := second.receive(ctx, ending)
				f.report(ctx, report{place: ending.Place, result: &result})
			})
		})
	}
	first := newPreparing(facts, found, awaited)
	stages.Go(func() {
		parallel.Each(ctx, submitters, first.places, func(place int) {
			if err := facts.refusalFor(facts.in.Members[place]); err != nil {
				f.report(ctx, report{place: place, result: &Result{Err: err}})
				return
			}
			result, waits := first.begin(ctx, place)
			if waits {
				f.report(ctx, report{place: place})
				return
			}
			f.report(ctx, report{place: place, result: &result})
		})
	})
	f.follow(parent, cancel)
	return f.results, nil
}

// places yields the place of each user in the file.
func (s *session) places(yield func(int) bool) {
	for place := range s.in.Members {
		if !yield(place) {
			return
		}
	}
}
