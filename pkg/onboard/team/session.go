package team

import (
	"context"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// session is what the parts of one run share: the team, the program that serves it, and what
// the run has met of the API server so far.
type session struct {
	in Input
	// program tells the session what happens, which passes on what a person would read.
	program *onboard.Program
	hearing hearing
	// reached reports whether the server answered once: before that, its address may be wrong.
	reached atomic.Bool
}

func newSession(p *onboard.Program, in Input) *session {
	s := &session{in: in, hearing: hearing{tell: p.Tell, now: p.Now}}
	quiet := *p
	quiet.Tell = s.tell
	s.program = &quiet
	return s
}

// troublePatience is how long a server that fails is asked again for one user.
const troublePatience = 2 * time.Minute

// persevere repeats what a server fails at that is away or overloaded, for a while. One
// that was never there is not waited for.
func (s *session) persevere(ctx context.Context, do func() error) error {
	pause := wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 8, Cap: 5 * time.Second}
	var begin time.Time
	for {
		err := do()
		isAway := cluster.IsNobodyThere(err)
		if !isAway {
			s.reached.Store(true)
		}
		switch {
		case err == nil, ctx.Err() != nil, !s.mayPass(err), isAway && !s.reached.Load():
			return err
		case begin.IsZero():
			begin = s.program.Now()
		case s.program.Now().Sub(begin) > troublePatience:
			return err
		}
		if cluster.MayPass(err) {
			s.trouble(err)
		}
		duration := max(pause.Step(), cluster.SuggestedDelay(err))
		timer := time.NewTimer(duration)
		select {
		case <-ctx.Done():
			timer.Stop()
			return outcome.Errorf(outcome.ErrInterrupted, "interrupted: %w", err)
		case <-timer.C:
		}
	}
}

// startingTime is how long an API server that was away may refuse everybody
// everything, because it has not read its role bindings yet.
const startingTime = 30 * time.Second

// mayPass reports whether what the server said may be otherwise in a moment.
func (s *session) mayPass(err error) bool {
	return cluster.MayPass(err) || apierrors.IsForbidden(err) && s.hearing.sinceTrouble() < startingTime
}

func (s *session) trouble(err error) { s.tell(onboard.StillFollowing{Trouble: err}) }

func (s *session) tell(e event.Event) { s.hearing.hear(e) }
