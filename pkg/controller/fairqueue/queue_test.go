package fairqueue

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// fill has requests of a requester evaluated, which are named for the requester and their place.
func fill(q *Queue, requester string, count int) {
	for i := range count {
		q.Add(requester, types.UID(fmt.Sprintf("%s-%d", requester, i)))
	}
}

// takeAll takes until there is nothing to take now, and returns the requesters in their order and
// for how long the next one has to wait.
func takeAll(q *Queue) (requesters []string, wait time.Duration) {
	for {
		uid, wait, isOne := q.Take()
		if !isOne {
			return requesters, wait
		}
		requester, _, _ := strings.Cut(string(uid), "-")
		requesters = append(requesters, requester)
	}
}

// elapse lets time go by in a test of package synctest, whose clock it is, and everything happen that
// is due.
func elapse(span time.Duration) {
	<-time.After(span)
	synctest.Wait()
}

func TestQueue_RequestersTakeTurns(t *testing.T) {
	q := New(time.Now)
	fill(q, "a", 100)
	fill(q, "b", 1)
	fill(q, "c", 3)
	order, _ := takeAll(q)
	if got, want := strings.Join(order[:7], ""), "abcacac"; got != want || len(order) != 104 {
		t.Errorf("%s of %d", got, len(order))
	}
}

func TestQueue_EachRequesterHasABucketOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(time.Now)
		fill(q, "junk", 2*Burst)
		order, wait := takeAll(q)
		if len(order) != Burst || wait <= 0 || wait > time.Second/rate {
			t.Errorf("%d at once, then %s", len(order), wait)
		}
		fill(q, "good", 1)
		if order, _ := takeAll(q); strings.Join(order, "") != "good" {
			t.Errorf("behind the junk of another requester: %q", order)
		}
		elapse(time.Second)
		if order, _ := takeAll(q); len(order) != rate {
			t.Errorf("%d in a second", len(order))
		}
	})
}

func TestQueue_ABucketHoldsNoMoreThanABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(time.Now)
		fill(q, "a", 1)
		takeAll(q)
		elapse(time.Hour)
		fill(q, "a", 2*Burst)
		if order, _ := takeAll(q); len(order) != Burst {
			t.Errorf("%d at once", len(order))
		}
	})
}

// TestQueue_WhoWaitsForNothingIsForgottenWithAFullBucketOnly: one that was forgotten begins with a
// full bucket.
func TestQueue_WhoWaitsForNothingIsForgottenWithAFullBucketOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(time.Now)
		fill(q, "a", Burst)
		takeAll(q)
		if len(q.lines) != 1 {
			t.Error("a requester was forgotten who has used up the bucket")
		}
		elapse(Burst / rate * time.Second)
		takeAll(q)
		if len(q.lines) != 0 {
			t.Error("a requester is never forgotten")
		}
	})
}

func TestQueue_OneThatWaitsWaitsOnce(t *testing.T) {
	q := New(time.Now)
	for range 3 {
		fill(q, "a", 2)
	}
	if q.Len() != 2 {
		t.Errorf("%d wait", q.Len())
	}
	takeAll(q)
	fill(q, "a", 1)
	if order, _ := takeAll(q); len(order) != 1 || q.Len() != 0 {
		t.Errorf("%q, %d wait", order, q.Len())
	}
}

// TestQueue_OneWorkerWakesTheNext: several requests may come before a worker has woken up.
func TestQueue_OneWorkerWakesTheNext(t *testing.T) {
	q := New(time.Now)
	for _, requester := range []string{"a", "b"} {
		fill(q, requester, 1)
	}
	for i := range 2 {
		select {
		case <-q.ready:
		default:
			t.Errorf("worker %d sleeps, and a request waits", i)
		}
		if _, _, isOne := q.Take(); !isOne {
			t.Errorf("nothing for worker %d", i)
		}
	}
	select {
	case <-q.ready:
		t.Error("a worker is woken for nothing")
	default:
	}
}

func TestQueue_LaterIsLaterAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(time.Now)
		taken := func(after time.Duration) int {
			elapse(after)
			order, _ := takeAll(q)
			return len(order)
		}
		q.AddLater("a", "a-1", time.Second)
		q.AddLater("a", "a-1", 3*time.Second)
		if early, due := taken(2*time.Second), taken(2*time.Second); early != 0 || due != 1 {
			t.Errorf("%d early, %d then", early, due)
		}
		q.AddLater("a", "a-2", time.Second)
		q.Add("a", "a-2")
		if now, then := taken(0), taken(2*time.Second); now != 1 || then != 0 {
			t.Errorf("%d at once, %d once more", now, then)
		}
		q.AddLater("a", "a-3", time.Second)
		q.Close()
		q.Add("a", "a-4")
		q.AddLater("a", "a-5", time.Second)
		if ended := taken(2 * time.Second); ended != 0 {
			t.Errorf("%d after the end", ended)
		}
	})
}
