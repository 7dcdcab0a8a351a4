package clusters

import (
	"context"
	"slices"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Meeting is where the runs on several clusters wait with their questions until each of them has one
// or has no more, so that a person sees everything that is asked at once, and is never asked by two
// runs. Every run ends with Leave.
type Meeting[Q any] struct {
	answer func(context.Context, []Q) []error

	mutex sync.Mutex
	// present is how many runs there still are.
	present int
	waiting []waitingQuestion[Q]
}

type waitingQuestion[Q any] struct {
	// place is the run's, by which questions are in the order of the clusters.
	place    int
	question Q
	answer   chan error
}

// NewMeeting makes a meeting of so many runs. answer asks the person, and returns the answer to each
// question; it is never called twice at the same time.
func NewMeeting[Q any](runs int, answer func(context.Context, []Q) []error) *Meeting[Q] {
	return &Meeting[Q]{answer: answer, present: runs}
}

// Ask waits for the others, and returns the answer to a question of the run at a place.
func (m *Meeting[Q]) Ask(ctx context.Context, place int, question Q) error {
	waiting := waitingQuestion[Q]{place, question, make(chan error, 1)}
	m.mutex.Lock()
	m.waiting = append(m.waiting, waiting)
	m.answerAll(ctx)
	m.mutex.Unlock()
	select {
	case err := <-waiting.answer:
		return err
	case <-ctx.Done():
		// Who waits no longer is asked nothing. The run still leaves.
		m.mutex.Lock()
		defer m.mutex.Unlock()
		m.waiting = slices.DeleteFunc(m.waiting, func(other waitingQuestion[Q]) bool { return other.place == place })
		return outcome.Errorf(outcome.ErrInterrupted, "interrupted")
	}
}

// Leave ends a run, for which the others do not wait any longer.
func (m *Meeting[Q]) Leave(ctx context.Context) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.present--
	m.answerAll(ctx)
}

// answerAll has all questions answered, once every run that is present has one.
func (m *Meeting[Q]) answerAll(ctx context.Context) {
	if len(m.waiting) == 0 || len(m.waiting) < m.present || ctx.Err() != nil {
		return
	}
	slices.SortFunc(m.waiting, func(a, b waitingQuestion[Q]) int { return a.place - b.place })
	questions := make([]Q, len(m.waiting))
	for i, one := range m.waiting {
		questions[i] = one.question
	}
	answers := m.answer(ctx, questions)
	for i, one := range m.waiting {
		one.answer <- answers[i]
	}
	m.waiting = nil
}
