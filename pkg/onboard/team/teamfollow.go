package team

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// follow takes in what comes of the users until it has come of all, or nothing more
// will.
func (r *run) follow(ctx context.Context, cancel context.CancelFunc) {
	f := &following{run: r, Expired: make([]bool, len(r.in.Members)), left: len(r.in.Members)}
	var watchFailed <-chan error
	var idle *time.Timer
	var idled <-chan time.Time
	if r.awaiting != nil {
		watchFailed = r.awaiting.Failed()
		idle = time.NewTimer(r.in.Timeout)
		defer idle.Stop()
		idled = idle.C
	}
	f.progress()
	// A bar wants to be drawn, and a silence explained, also where nothing happens.
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	quiet := 0
	// looked says that the cluster was asked about what nothing was heard of, and lookEnded
	// is closed when it has answered.
	looked := false
	var lookEnded chan struct{}
	for f.left > 0 {
		select {
		case <-tick.C:
			f.progress()
			if quiet++; quiet == r.patience() && r.awaiting != nil {
				f.explain()
			}
			continue
		case <-lookEnded:
			// What it has found is being collected.
			lookEnded = nil
			idle.Reset(min(r.in.Timeout, tickTime))
			continue
		case one := <-r.finished:
			if one.result.Err != nil && !errors.Is(one.result.Err, outcome.ErrInterrupted) {
				member := r.in.Members[one.place]
				r.tell(MemberNotOnboarded{User: member.User.Name, Line: member.Line, Reason: one.result.Err})
			}
			f.finish(one)
		case <-r.begun:
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
				f.giveUp(r.timedOut())
				return
			}
			// The watch may have missed something while the server was away.
			lookEnded = make(chan struct{})
			go r.look(lookEnded)
			looked = true
			idle.Reset(lookTime)
			continue
		}
		quiet, looked, lookEnded = 0, false, nil
		if idle != nil {
			idle.Reset(r.in.Timeout)
		}
	}
}

const (
	// tickTime is how often it is looked whether anything has happened.
	tickTime = time.Second
	// approvalQuiet and signingQuiet are how many such looks without anything it takes
	// until it is said what is waited for.
	approvalQuiet, signingQuiet = 2, 10
)

// patience is how many looks without anything new are nothing to speak of.
func (r *run) patience() int {
	if r.in.Approve {
		return signingQuiet
	}
	return approvalQuiet
}

// timedOut is the error of users whose certificates have not come.
func (r *run) timedOut() error {
	hint := "run the same command again to go on waiting; to find out why none comes: kubectl csr-onboard doctor --probe"
	if !r.in.Approve {
		hint = "run the same command again to go on waiting; whether they are approved is in: kubectl csr-onboard list"
	}
	return outcome.WithHint(outcome.Errorf(outcome.ErrTimedOut, "no certificate has come for %s", r.in.Timeout), "%s", hint)
}

// look asks about each request that is waited for, before it is given up.
func (r *run) look(done chan<- struct{}) {
	defer close(done)
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
	run          *run
	Expired      []bool
	left, failed int
}

func (f *following) progress() {
	f.run.tell(onboard.Progress{Doing: onboarding, Done: len(f.Expired) - f.left, Failed: f.failed, Total: len(f.Expired)})
}

// explain says what is waited for.
func (f *following) explain() {
	f.run.mutex.Lock()
	waiting := len(f.run.waiting)
	f.run.mutex.Unlock()
	if waiting > 0 {
		f.run.tell(Waits{Waiting: waiting, AreApproved: f.run.in.Approve, Signer: f.run.in.Signer})
	}
}

func (f *following) finish(one memberFinished) {
	if f.Expired[one.place] {
		return
	}
	f.Expired[one.place] = true
	f.left--
	one.result.User, one.result.Line = f.run.in.Members[one.place].User, f.run.in.Members[one.place].Line
	if one.result.Err != nil {
		one.result.State = MemberFailed
		f.failed++
	}
	f.run.results[one.place] = one.result
	f.progress()
}

// giveUp ends the users who are left, all for one reason.
func (f *following) giveUp(err error) {
	f.run.mutex.Lock()
	requests := slices.Clone(f.run.requests)
	f.run.mutex.Unlock()
	var left []Result
	for place, member := range f.run.in.Members {
		if !f.Expired[place] {
			left = append(left, Result{User: member.User, Line: member.Line})
		}
		f.finish(memberFinished{place, Result{Request: requests[place], Err: err}})
	}
	if len(left) > 0 && !errors.Is(err, outcome.ErrInterrupted) {
		f.run.tell(MembersNotOnboarded{Users: left, Reason: err})
	}
}
