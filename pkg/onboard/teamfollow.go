package onboard

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// follow takes in what comes of the users until it has come of all, or nothing more
// will.
func (r *teamRun) follow(ctx context.Context, cancel context.CancelFunc) {
	f := &following{run: r, ended: make([]bool, len(r.in.Members)), left: len(r.in.Members)}
	var watchFailed <-chan error
	var idle *time.Timer
	var idled <-chan time.Time
	if r.awaiting != nil {
		watchFailed = r.awaiting.Failed()
		idle = time.NewTimer(r.in.Timeout)
		defer idle.Stop()
		idled = idle.C
	}
	r.tell(Progress{Doing: onboarding, Total: f.left})
	looked := false
	for f.left > 0 {
		select {
		case one := <-r.finished:
			if one.result.Err != nil && !errors.Is(one.result.Err, outcome.ErrInterrupted) {
				member := r.in.Members[one.place]
				r.tell(MemberNotOnboarded{User: member.User.Name, Line: member.Line, Reason: one.result.Err})
			}
			f.finish(one)
			looked = false
		case <-r.begun:
			looked = false
		case err := <-watchFailed:
			if ctx.Err() == nil {
				cancel()
				f.giveUp(err)
			}
			watchFailed = nil
		case <-ctx.Done():
			f.giveUp(outcome.Errorf(outcome.ErrInterrupted, "interrupted"))
		case <-idled:
			if looked {
				cancel()
				f.giveUp(outcome.WithHint(
					outcome.Errorf(outcome.ErrTimedOut, "no certificate has come for %s", r.in.Timeout),
					"run the same command again to go on waiting; to find out why none comes: kubectl csr-onboard doctor --probe"))
				return
			}
			// The watch may have missed something while the server was away.
			go r.look()
			looked = true
			idle.Reset(min(r.in.Timeout, lookTime))
			continue
		}
		if idle != nil {
			idle.Reset(r.in.Timeout)
		}
	}
}

// look asks about each request that is waited for, before it is given up.
func (r *teamRun) look() {
	r.mutex.Lock()
	names := slices.Collect(maps.Keys(r.waiting))
	r.mutex.Unlock()
	for _, name := range names {
		if r.awaiting.Look(name) != nil {
			return
		}
	}
}

// following is what has come of the users so far.
type following struct {
	run          *teamRun
	ended        []bool
	left, failed int
}

func (f *following) finish(one memberFinished) {
	if f.ended[one.place] {
		return
	}
	f.ended[one.place] = true
	f.left--
	one.result.User, one.result.Line = f.run.in.Members[one.place].User, f.run.in.Members[one.place].Line
	if one.result.Err != nil {
		one.result.State = MemberFailed
		f.failed++
	}
	f.run.results[one.place] = one.result
	f.run.tell(Progress{Doing: onboarding, Done: len(f.ended) - f.left, Failed: f.failed, Total: len(f.ended)})
}

// giveUp ends the users who are left, all for one reason.
func (f *following) giveUp(err error) {
	f.run.mutex.Lock()
	requests := slices.Clone(f.run.requests)
	f.run.mutex.Unlock()
	for place := range f.ended {
		f.finish(memberFinished{place, MemberResult{Request: requests[place], Err: err}})
	}
}
