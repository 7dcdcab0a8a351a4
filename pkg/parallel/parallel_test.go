package parallel

import (
	"context"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pass lets time pass, which in the bubble of a test is not real.
func pass(d time.Duration) { <-time.After(d) }

// counted counts how many calls run at once, and what the most was.
type counted struct{ now, most atomic.Int64 }

func (c *counted) run() {
	now := c.now.Add(1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	pass(time.Second)
	c.now.Add(-1)
}

// numbers are 0 to n-1.
func numbers(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

func TestParallel_TheBoundIsReachedAndKept(t *testing.T) {
	const limit = 3
	for name, run := range map[string]func(context.Context, *counted, []int){
		"Map": func(_ context.Context, c *counted, items []int) {
			Map(limit, items, func(int) bool { c.run(); return true })
		},
		"Each": func(ctx context.Context, c *counted, items []int) {
			Each(ctx, limit, slices.Values(items), func(int) { c.run() })
		},
		"InOrder": func(ctx context.Context, c *counted, items []int) {
			for range InOrder(ctx, limit, items, func(context.Context, int) func() bool {
				return func() bool { c.run(); return true }
			}) {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c counted
				begin := time.Now()
				run(t.Context(), &c, numbers(10))
				if c.most.Load() != limit || c.now.Load() != 0 {
					t.Errorf("%d at once and %d at the end, want %d and 0", c.most.Load(), c.now.Load(), limit)
				}
				if took := time.Since(begin); took != 4*time.Second {
					t.Errorf("10 seconds of work by 3 took %s, want 4 s", took)
				}
			})
		})
	}
}

func TestParallel_NothingIsDoneForNoItems(t *testing.T) {
	if got := Map(2, nil, func(int) int { t.Error("called"); return 0 }); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	Each(t.Context(), 2, slices.Values([]int(nil)), func(int) { t.Error("called") })
	for range InOrder(t.Context(), 2, nil, func(context.Context, int) func() int { t.Error("called"); return nil }) {
		t.Error("a result of nothing")
	}
}

// earlierIsSlower takes longer for an earlier item, so that they end in the other order.
func earlierIsSlower(i int) int {
	pass(time.Duration(100-i) * time.Second)
	return i
}

func TestParallel_ResultsComeInTheOrderOfTheItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got := Map(10, numbers(25), earlierIsSlower); !slices.Equal(got, numbers(25)) {
			t.Errorf("Map: %v", got)
		}
		var begun []int
		got := slices.Collect(InOrder(t.Context(), 10, numbers(25), func(_ context.Context, i int) func() int {
			begun = append(begun, i)
			return func() int { return earlierIsSlower(i) }
		}))
		if !slices.Equal(got, numbers(25)) || !slices.Equal(begun, numbers(25)) {
			t.Errorf("InOrder: %v, begun %v", got, begun)
		}
	})
}

func TestParallel_AResultIsHandedOverBeforeTheOthersAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		for i := range InOrder(t.Context(), 2, numbers(4), func(_ context.Context, i int) func() int {
			return func() int { pass(time.Duration(i) * time.Hour); return i }
		}) {
			if took := time.Since(begin); i == 1 && took != time.Hour {
				t.Errorf("the second result came after %s", took)
			}
		}
	})
}

func TestParallel_ACanceledContextStopsTheFeeding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var taken, done atomic.Int64
		items := func(yield func(int) bool) {
			for i := range 100 {
				taken.Add(1)
				if !yield(i) {
					return
				}
			}
		}
		Each(ctx, 4, items, func(i int) {
			pass(time.Second)
			if i == 5 {
				cancel()
			}
			done.Add(1)
		})
		if taken.Load() > 11 || taken.Load() != done.Load() {
			t.Errorf("%d items taken and %d done", taken.Load(), done.Load())
		}
	})
}

func TestParallel_AContextThatIsDoneTakesNoItem(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		Each(ctx, 1, iter.Seq[int](func(func(int) bool) { t.Error("an item was taken") }), func(int) {})
		for range InOrder(ctx, 1, numbers(3), func(context.Context, int) func() int { t.Error("begun"); return func() int { return 0 } }) {
			t.Error("a result")
		}
	}
}

func TestParallel_RoomIsNotWaitedForWhenTheContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		taken := 0
		items := func(yield func(int) bool) {
			for i := 0; yield(i); i++ {
				taken++
			}
		}
		Each(ctx, 2, items, func(int) { pass(time.Hour) })
		if taken != 1 {
			t.Errorf("%d items had a successor, want 1", taken)
		}
	})
}

func TestParallel_ACanceledContextEndsTheSequenceWithWhatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		got := slices.Collect(InOrder(ctx, 2, numbers(100), func(_ context.Context, i int) func() int {
			return func() int {
				pass(time.Second)
				if i == 4 {
					cancel()
				}
				return i
			}
		}))
		if len(got) < 5 || len(got) > 7 || !slices.Equal(got, numbers(len(got))) {
			t.Errorf("got %v", got)
		}
	})
}

// An error ends a loop over results: nothing more begins, what runs is told, and waited for.
func TestParallel_ACallerThatStopsEndsTheFeeding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, told, done atomic.Int64
		for i := range InOrder(t.Context(), 3, numbers(100), func(ctx context.Context, i int) func() int {
			begun.Add(1)
			return func() int {
				defer done.Add(1)
				select {
				case <-time.After(time.Duration(i) * time.Hour):
				case <-ctx.Done():
					told.Add(1)
				}
				return i
			}
		}) {
			if i == 1 {
				break
			}
		}
		if begun.Load() > 5 || begun.Load() != done.Load() || told.Load() == 0 {
			t.Errorf("%d begun, %d told and %d done", begun.Load(), told.Load(), done.Load())
		}
	})
}
