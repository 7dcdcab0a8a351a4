package team

import (
	"context"
	"errors"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

const (
	// onboarding is what it is called that continues (see Progress).
	onboarding = "onboarding"
	// tickTime is how often it is told how far the team is.
	tickTime = time.Second
)

// following takes in what comes of the users until it has come of all, or nothing more will.
type following struct {
	*session

	// waiting is nil where no certificates are waited for.
	waiting *waiting
	stall   stall
	reports chan report

	// results and isFinished are by the users' places.
	results      []Result
	isFinished   []bool
	left, failed int
}

// report says that something came of the user at a place: an end, or that a certificate is
// waited for, if result is nil.
type report struct {
	place  int
	result *Result
}

func newFollowing(s *session, w *waiting) *following {
	n := len(s.in.Members)
	f := &following{
		session: s, waiting: w, reports: make(chan report),
		results: make([]Result, n), isFinished: make([]bool, n), left: n,
		stall: stall{patience: approvalPatience, timeout: s.in.Timeout},
	}
	if s.in.Approve {
		f.stall.patience = signingPatience
	}
	return f
}

// report hands a report to follow, unless the context is done.
func (f *following) report(ctx context.Context, one report) {
	select {
	case f.reports <- one:
	case <-ctx.Done():
	}
}

// follow follows the users. cancel stops the work for them when they are given up.
func (f *following) follow(ctx context.Context, cancel context.CancelFunc) {
	var watchFailed <-chan error
	if f.waiting != nil {
		watchFailed = f.waiting.Failed()
	}
	f.progress()
	// A bar has to be drawn also while nothing happens.
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	f.stall.heard(f.program.Now())
	// looked is closed when the API server was asked about what nothing was heard of; nil
	// while it is not asked.
	var looked <-chan struct{}
	for f.left > 0 {
		select {
		case <-tick.C:
			f.progress()
		case <-f.silence():
			switch f.stall.next(f.program.Now()) {
			case nothing:
			case explain:
				f.explain()
			case look:
				looked = f.waiting.look()
			case giveUp:
				cancel()
				f.giveUp(f.timedOut())
			}
		case <-looked:
			looked = nil
			f.stall.looked(f.program.Now())
		case one := <-f.reports:
			f.take(one)
			looked = nil
			f.stall.heard(f.program.Now())
		case err := <-watchFailed:
			if ctx.Err() != nil {
				err = interrupted()
			}
			cancel()
			f.giveUp(err)
		case <-ctx.Done():
			f.giveUp(interrupted())
		}
	}
}

func interrupted() error { return outcome.Errorf(outcome.ErrInterrupted, "interrupted") }

// silence delivers when nothing has happened for so long that the stall has a next step; never
// where no certificates are waited for.
func (f *following) silence() <-chan time.Time {
	if f.waiting == nil {
		return nil
	}
	return time.After(f.stall.due().Sub(f.program.Now()))
}

// timedOut is the error of users whose certificates have not come.
func (f *following) timedOut() error {
	hint := "run the same command again to continue to wait; to find out why none comes: kubectl csr-onboard doctor --probe"
	if !f.in.Approve {
		hint = "run the same command again to continue to wait; whether they are approved is in: kubectl csr-onboard list"
	}
	return outcome.WithHint(outcome.Errorf(outcome.ErrTimedOut, "no certificate has come for %s", f.in.Timeout), "%s", hint)
}

func (f *following) progress() {
	f.tell(onboard.Progress{Doing: onboarding, Done: len(f.results) - f.left, Failed: f.failed, Total: len(f.results)})
}

// explain says what is waited for.
func (f *following) explain() {
	if n := len(f.waiting.Waiting()); n > 0 {
		f.tell(Waits{Waiting: n, AreApproved: f.in.Approve, Signer: f.in.Signer})
	}
}

// take takes a report in.
func (f *following) take(one report) {
	if one.result == nil {
		return
	}
	if err := one.result.Err; err != nil && !errors.Is(err, outcome.ErrInterrupted) {
		member := f.in.Members[one.place]
		f.tell(MemberNotOnboarded{User: member.User.Name, Line: member.Line, Reason: err})
	}
	f.finish(one.place, *one.result)
}

func (f *following) finish(place int, result Result) {
	if f.isFinished[place] {
		return
	}
	f.isFinished[place] = true
	f.left--
	result.User, result.Line = f.in.Members[place].User, f.in.Members[place].Line
	if result.Err != nil {
		result.State = MemberFailed
		f.failed++
	}
	f.results[place] = result
	f.progress()
}

// giveUp ends the users who are left, all for one reason.
func (f *following) giveUp(err error) {
	var left []Result
	for place, member := range f.in.Members {
		if f.isFinished[place] {
			continue
		}
		left = append(left, Result{User: member.User, Line: member.Line})
		result := Result{Err: err}
		if f.waiting != nil {
			result.Request = f.waiting.requestOf(place)
		}
		f.finish(place, result)
	}
	if len(left) > 0 && !errors.Is(err, outcome.ErrInterrupted) {
		f.tell(MembersNotOnboarded{Users: left, Reason: err})
	}
}
