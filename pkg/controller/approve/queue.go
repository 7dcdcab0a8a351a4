package approve

import (
	"container/list"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Each requester may have so many requests evaluated at once, and then so many a second: about as
// many as the cluster's signer issues.
const (
	evaluationBurst = 200
	evaluationRate  = 50.0
)

// queue holds the requests that are to be evaluated: a line for each requester, and the requesters
// take turns. A requester who has used up what they may is passed over until there is more.
type queue struct {
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

func newQueue(now func() time.Time) *queue {
	return &queue{now: now, lines: map[string]*line{}, turns: list.New(), later: map[types.UID]*time.Timer{}, ready: make(chan struct{}, 1)}
}

// add has a request evaluated in its requester's turn. One that waits already waits once.
func (q *queue) add(requester string, uid types.UID) {
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
		of = &line{requester: requester, isQueued: map[types.UID]bool{}, tokens: evaluationBurst, at: q.now()}
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

// addLater has a request evaluated after a while.
func (q *queue) addLater(requester string, uid types.UID, after time.Duration) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.isOver {
		return
	}
	if timer := q.later[uid]; timer != nil {
		timer.Stop()
	}
	q.later[uid] = time.AfterFunc(after, func() { q.add(requester, uid) })
}

// wake tells those who wait that there may be a request.
func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take is the next request, and false where there is none now. If one has to wait for its requester's
// tokens, wait says how long.
func (q *queue) take() (uid types.UID, wait time.Duration, isOne bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	now := q.now()
	for range q.turns.Len() {
		front := q.turns.Front()
		// Only lines are pushed.
		of, _ := front.Value.(*line)
		of.tokens = min(evaluationBurst, of.tokens+now.Sub(of.at).Seconds()*evaluationRate)
		of.at = now
		if of.tokens < 1 {
			q.turns.MoveToBack(front)
			missing := time.Duration((1 - of.tokens) / evaluationRate * float64(time.Second))
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
func (q *queue) dropIdle(now time.Time) {
	for requester, of := range q.lines {
		if of.turn == nil && of.tokens+now.Sub(of.at).Seconds()*evaluationRate >= evaluationBurst {
			delete(q.lines, requester)
		}
	}
}

// waiting is how many requests wait.
func (q *queue) waiting() int {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	count := 0
	for _, of := range q.lines {
		count += len(of.waiting)
	}
	return count
}

// close stops everything that is to come later.
func (q *queue) close() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.isOver = true
	for _, timer := range q.later {
		timer.Stop()
	}
}
