package approve

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// longestStatus bounds the message of a condition, in characters (deploy/approver/crd.yaml, after
// metav1.Condition).
const longestStatus = 32 << 10

// statusWriter writes the status of a policy as it was read.
type statusWriter interface {
	UpdateStatus(ctx context.Context, changed *policy.ApprovalPolicy) (*policy.ApprovalPolicy, error)
}

// statuses write into policies whether they compile and can be evaluated.
type statuses struct {
	policies statusWriter
	world    *world
	now      func() time.Time
	log      *slog.Logger

	mutex sync.Mutex
	// failures say why a policy of a generation could not be evaluated.
	failures map[string]failure
	wake     chan struct{}
}

type failure struct {
	generation int64
	text       string
}

func newStatuses(of statusWriter, w *world, now func() time.Time, log *slog.Logger) *statuses {
	return &statuses{policies: of, world: w, now: now, log: log, failures: map[string]failure{}, wake: make(chan struct{}, 1)}
}

// compiled takes in that policies were compiled.
func (s *statuses) compiled(compiled []*compiledPolicy) {
	if len(compiled) > 0 {
		s.signal()
	}
}

func (s *statuses) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// failed takes in that policies could not be evaluated. The first failure of a generation is kept.
func (s *statuses) failed(one *known, decision policy.Decision) {
	for _, explained := range decision.Policies {
		if explained.Err == nil || explained.Policy.Program == nil {
			continue
		}
		s.mutex.Lock()
		before, isKnown := s.failures[explained.Policy.Name]
		isNews := !isKnown || before.generation != explained.Policy.Generation
		if isNews {
			text := identity.PrintableSentence(explained.Err.Error()) + " (request " + identity.Quote(one.Name) + ")"
			s.failures[explained.Policy.Name] = failure{explained.Policy.Generation, text}
		}
		s.mutex.Unlock()
		if isNews {
			s.signal()
		}
	}
}

// run writes what is to be written, until the context ends.
func (s *statuses) run(ctx context.Context) {
	for {
		again := s.writeAll(ctx)
		if !again {
			select {
			case <-ctx.Done():
				return
			case <-s.wake:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryFailed):
		}
	}
}

// writeAll writes the status of every policy that has another one, and reports whether some of it
// has to be tried again.
func (s *statuses) writeAll(ctx context.Context) (again bool) {
	s.world.mutex.Lock()
	all := maps.Clone(s.world.policies)
	s.world.mutex.Unlock()
	for name, one := range all {
		changed, isOther := s.statusOf(name, one)
		if !isOther {
			continue
		}
		if _, err := s.policies.UpdateStatus(ctx, changed); err != nil && ctx.Err() == nil {
			again = true
			if !errors.Is(err, outcome.ErrChanged) {
				s.log.Warn("the status of a policy cannot be written", "policy", name, "error", err.Error())
			}
		}
	}
	return again
}

// statusOf is a policy with the status that it should have.
func (s *statuses) statusOf(name string, one *compiledPolicy) (changed *policy.ApprovalPolicy, isOther bool) {
	// A policy's copies are policies.
	changed, _ = one.object.DeepCopyObject().(*policy.ApprovalPolicy)
	set := func(condition metav1.Condition) {
		condition.Message = identity.Shorten(condition.Message, longestStatus)
		condition.ObservedGeneration, condition.LastTransitionTime = one.object.Generation, metav1.NewTime(s.now())
		isOther = meta.SetStatusCondition(&changed.Status.Conditions, condition) || isOther
	}
	if mistakes := one.compiled.Mistakes; len(mistakes) > 0 {
		set(metav1.Condition{Type: policy.CompiledCondition, Status: metav1.ConditionFalse, Reason: "Invalid", Message: policy.Joined(mistakes)})
	} else {
		set(metav1.Condition{Type: policy.CompiledCondition, Status: metav1.ConditionTrue, Reason: "Compiled", Message: "the policy can be evaluated"})
	}
	s.mutex.Lock()
	failed, hasFailed := s.failures[name]
	s.mutex.Unlock()
	if hasFailed && failed.generation == one.object.Generation {
		set(metav1.Condition{Type: policy.EvaluatedCondition, Status: metav1.ConditionFalse, Reason: "EvaluationFailed", Message: failed.text})
	} else if meta.FindStatusCondition(changed.Status.Conditions, policy.EvaluatedCondition) != nil {
		before := meta.FindStatusCondition(changed.Status.Conditions, policy.EvaluatedCondition)
		if before.ObservedGeneration != one.object.Generation {
			isOther = meta.RemoveStatusCondition(&changed.Status.Conditions, policy.EvaluatedCondition) || isOther
		}
	}
	return changed, isOther
}
