package clusters

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
)

// Result is what came of a use case on one cluster.
type Result[T any] struct {
	// Cluster is the name of the cluster's context.
	Cluster string
	// Value is the use case's own result. It may be there with an error, too.
	Value T
	// Err is why the use case was not completed on this cluster.
	Err error
}

// Run runs a use case on all clusters at the same time: each may wait for the others in a Meeting. The
// results are in the order of the clusters.
func Run[C, T any](all []C, nameOf func(C) string, do func(C) (T, error)) []Result[T] {
	return parallel.Map(max(len(all), 1), all, func(one C) Result[T] {
		value, err := do(one)
		return Result[T]{Cluster: nameOf(one), Value: value, Err: err}
	})
}

// Failure tells on which clusters a use case was not completed, and returns the error of the run:
// the first cluster's, unless the run was interrupted; nil if there is none.
func Failure[T any](results []Result[T], tell func(event.Event)) error {
	return failure(results, tell, "run the same command again to continue with those")
}

// FailureToRead is Failure of a use case that changes nothing: nothing of it remains to be done.
func FailureToRead[T any](results []Result[T], tell func(event.Event)) error {
	return failure(results, tell, "")
}

func failure[T any](results []Result[T], tell func(event.Event), again string) error {
	var names []string
	var firstErr, interruptedErr error
	for _, result := range results {
		if result.Err == nil {
			continue
		}
		names = append(names, identity.Quote(result.Cluster))
		firstErr = cmp.Or(firstErr, result.Err)
		if errors.Is(result.Err, outcome.ErrInterrupted) {
			interruptedErr = cmp.Or(interruptedErr, result.Err)
		}
		if len(results) > 1 {
			tell(NotDone{Cluster: result.Cluster, Reason: result.Err})
		}
	}
	if firstErr = cmp.Or(interruptedErr, firstErr); firstErr != nil && len(results) > 1 {
		firstErr = outcome.ReplaceHint(firstErr, "%s", again)
	}
	switch {
	case firstErr == nil:
		return nil
	case len(results) == 1:
		return fmt.Errorf("cluster %s: %w", names[0], firstErr)
	case len(names) == 1:
		return fmt.Errorf("1 of %d clusters is not done: %s: %w", len(results), names[0], firstErr)
	}
	return fmt.Errorf("%d of %d clusters are not done: %s; the first: %w", len(names), len(results), strings.Join(names, ", "), firstErr)
}

// AreFailed reports whether the use case failed on every cluster.
func AreFailed[T any](results []Result[T]) bool {
	return !slices.ContainsFunc(results, func(result Result[T]) bool { return result.Err == nil })
}
