package parallel

import (
	"context"
	"iter"
	"sync"
)

// Map returns what do makes of each item, in the order of the items. It does not stop early: a
// result that is missing would look like one.
func Map[T, R any](limit int, items []T, do func(T) R) []R {
	results := make([]R, len(items))
	each(nil, limit, func(yield func(int) bool) {
		for i := range items {
			if !yield(i) {
				return
			}
		}
	}, func(i int) { results[i] = do(items[i]) })
	return results
}

// Each calls do for each item. An item is taken from the sequence when there is room for it,
// and none once the context is done. A sequence that waits for its next item has to watch the
// context itself.
func Each[T any](ctx context.Context, limit int, items iter.Seq[T], do func(T)) {
	each(ctx.Done(), limit, items, do)
}

func each[T any](done <-chan struct{}, limit int, items iter.Seq[T], do func(T)) {
	var working sync.WaitGroup
	defer working.Wait()
	places := make(chan struct{}, limit)
	hasRoom := func() bool {
		select {
		case <-done:
			return false
		default:
		}
		select {
		case places <- struct{}{}:
			return true
		case <-done:
			return false
		}
	}
	if !hasRoom() {
		return
	}
	for item := range items {
		working.Go(func() {
			defer func() { <-places }()
			do(item)
		})
		if !hasRoom() {
			return
		}
	}
}

// InOrder returns the results of the items one after the other, each as soon as those before
// it were taken. begin is called for one item at a time, in their order; the work that it
// returns is done at the same time as that of other items. Once the context is done no further
// item begins, so that the sequence ends early. When the caller takes no more results, the
// context that begin got is canceled, and the sequence waits for what has begun.
func InOrder[T, R any](ctx context.Context, limit int, items []T, begin func(context.Context, T) (work func() R)) iter.Seq[R] {
	type begun struct {
		work   func() R
		result chan R
	}
	return func(yield func(R) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var working sync.WaitGroup
		defer working.Wait()
		defer cancel()
		results := make(chan (<-chan R), len(items))
		beginEach := func(yield func(begun) bool) {
			for _, item := range items {
				one := begun{begin(ctx, item), make(chan R, 1)}
				results <- one.result
				if !yield(one) {
					return
				}
			}
		}
		working.Go(func() {
			defer close(results)
			Each(ctx, limit, beginEach, func(one begun) { one.result <- one.work() })
		})
		for result := range results {
			if !yield(<-result) {
				return
			}
		}
	}
}
