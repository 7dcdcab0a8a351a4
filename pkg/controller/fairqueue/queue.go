package fairqueue

import (
	"container/list"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// Burst is how many requests of one requester are taken at once.
	Burst = 200
	// rate is how many more of them are taken in a second: about as many as the cluster's signer
	// issues.
	rate = 50.0
)

// Queue holds requests that are to be evaluated. Use New. It can be used by several workers at the
// same time.
type Queue struct {
	now func() time.Time

	mutex  sync.Mutex
	lines  map[string]*line
	turns  *list.List
	later  map[types.UID]*time.Timer
	ready  chan struct{}
	isOver bool
}

// line is what one requester has.
type line struct {
	requester string
	waiting   []types.UID
	isQueued  map[types.UID]bool
	// tokens are evaluations that the requester may have, as they were at a time.
	tokens float64
	at     time.Time
	turn   *list.Element
}

// New returns an empty queue that goes by a clock.
func New(now func() time.Time) *Queue {
	return &Queue{now: now, lines: map[string]*line{}, turns: list.New(), later: map[types.UID]*time.Timer{}, ready: make(chan struct{}, 1)}
}

// Add has a request evaluated in its requester's turn. One that waits already waits once.
func (q *Queue) Add(requester string, uid types.UID) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.isOver {
		return
	}
	if timer := q.later[uid]; timer != nil {
		timer.Stop()
		delete(q.later, uid)
	}
	of := q.lines[requester]
	if of == nil {
		of = &line{requester: requester, isQueued: map[types.UID]bool{}, tokens: Burst, at: q.now()}
		q.lines[requester] = of
	}
	if of.isQueued[uid] {
		return
	}
	of.isQueued[uid] = true
	of.waiting = append(of.waiting, uid)
	if of.turn == nil {
		of.turn = q.turns.PushBack(of)
	}
	q.wake()
}

// AddLater has a request evaluated after a while.
func (q *Queue) AddLater(requester string, uid types.UID, after time.Duration) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.isOver {
		return
	}
	if timer := q.later[uid]; timer != nil {
		timer.Stop()
	}
	q.later[uid] = time.AfterFunc(after, func() { q.Add(requester, uid) })
}

// wake tells those who wait that there may be a request.
func (q *Queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// Take is the next request, and false where there is none now. If one has to wait until its requester
// may have more, wait says how long.
func (q *Queue) Take() (uid types.UID, wait time.Duration, isOne bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	now := q.now()
	for range q.turns.Len() {
		front := q.turns.Front()
		// Only lines are pushed.
		of, _ := front.Value.(*line)
		of.tokens = min(Burst, of.tokens+now.Sub(of.at).Seconds()*rate)
		of.at = now
		if of.tokens < 1 {
			q.turns.MoveToBack(front)
			missing := time.Duration((1 - of.tokens) / rate * float64(time.Second))
			if wait == 0 || missing < wait {
				wait = missing
			}
			continue
		}
		of.tokens--
		uid = of.waiting[0]
		of.waiting = of.waiting[1:]
		delete(of.isQueued, uid)
		if len(of.waiting) > 0 {
			q.turns.MoveToBack(front)
		} else {
			q.turns.Remove(front)
			of.turn, of.waiting = nil, nil
		}
		if q.turns.Len() > 0 {
			q.wake()
		}
		return uid, 0, true
	}
	q.dropIdle(now)
	return "", wait, false
}

// dropIdle forgets requesters who wait for nothing and have everything they may.
func (q *Queue) dropIdle(now time.Time) {
	for requester, of := range q.lines {
		if of.turn == nil && of.tokens+now.Sub(of.at).Seconds()*rate >= Burst {
			delete(q.lines, requester)
		}
	}
}

// Ready is written to when a request may be taken. One value stands for any number of requests.
func (q *Queue) Ready() <-chan struct{} { return q.ready }

// Len is how many requests wait, those of AddLater left out until they are due.
func (q *Queue) Len() int {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	count := 0
	for _, of := range q.lines {
		count += len(of.waiting)
	}
	return count
}

// Close stops everything that is to come later.
func (q *Queue) Close() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.isOver = true
	for _, timer := range q.later {
		timer.Stop()
	}
}
