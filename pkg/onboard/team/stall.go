package team

import "time"

const (
	// approvalPatience and signingPatience are how long nothing happens until it is said what
	// is waited for.
	approvalPatience, signingPatience = 2 * time.Second, 10 * time.Second
	// lookTime is how long it may take to ask about what nothing was heard of.
	lookTime = 10 * time.Second
	// takeTime is how long it may take to take in what was found by asking.
	takeTime = time.Second
)

// stall says what to do while nothing happens: explain what is waited for, then ask the API
// server whether something was missed, then give up. Anything that happens begins it again.
type stall struct {
	// patience is how long nothing happens until that is explained.
	patience time.Duration
	// timeout is how long nothing happens until the wait is given up.
	timeout time.Duration

	// quietSince is when something happened last, and deadline until when to wait for more.
	quietSince, deadline time.Time
	hasExplained         bool
	// isLast reports whether the API server was asked, so that the deadline is the last.
	isLast bool
}

// step is what a stall is answered with.
type step int

const (
	nothing step = iota
	explain
	look
	giveUp
)

// heard takes in that something happened.
func (s *stall) heard(now time.Time) {
	s.quietSince, s.deadline, s.hasExplained, s.isLast = now, now.Add(s.timeout), false, false
}

// looked takes in that the API server has answered what look asked. What it found is being
// received.
func (s *stall) looked(now time.Time) {
	s.deadline = now.Add(min(s.timeout, takeTime))
}

// due is when the next step has to be taken if nothing happens until then.
func (s *stall) due() time.Time {
	explainAt := s.quietSince.Add(s.patience)
	if s.hasExplained || s.deadline.Before(explainAt) {
		return s.deadline
	}
	return explainAt
}

// next is the step to take now.
func (s *stall) next(now time.Time) step {
	switch {
	case now.Before(s.due()):
		return nothing
	case now.Before(s.deadline):
		s.hasExplained = true
		return explain
	case s.isLast:
		return giveUp
	}
	s.isLast, s.deadline = true, now.Add(lookTime)
	return look
}
