package approve

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const (
	// Each requester has so many outcomes reported at once, and then so many a second, so that junk
	// does not fill the cluster with events.
	noteBurst = 20
	noteRate  = 0.5
	// noteTime is after how long an outcome is reported again: API servers keep events for an hour
	// (--event-ttl).
	noteTime = 30 * time.Minute
)

// reports are where it is reported why requests were left to people.
type reports interface {
	Write(ctx context.Context, about *request.Request, said request.PolicyOutcome) error
	// Read is what was reported of the requests that are still there, by their UIDs.
	Read(ctx context.Context) (map[types.UID]request.PolicyOutcome, error)
}

// notes report why requests were left to people, each once.
type notes struct {
	outcomes reports
	now      func() time.Time

	mutex   sync.Mutex
	said    map[types.UID]note
	buckets map[string]*bucket
}

// note is what is to be said of a request, and when it was reported; zero if it was not.
type note struct {
	outcome request.PolicyOutcome
	at      time.Time
}

// bucket is how many outcomes of a requester may be reported, as it was at a time.
type bucket struct {
	tokens float64
	at     time.Time
}

func newNotes(of reports, now func() time.Time) *notes {
	return &notes{outcomes: of, now: now, said: map[types.UID]note{}, buckets: map[string]*bucket{}}
}

// load takes in what was reported before, so that it is not reported again.
func (n *notes) load(ctx context.Context) error {
	said, err := n.outcomes.Read(ctx)
	if err != nil {
		return err
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for uid, one := range said {
		if _, isNewer := n.said[uid]; !isNewer {
			n.said[uid] = note{one, n.now()}
		}
	}
	return nil
}

// say reports the outcome of a request, if that is news and the requester has not used up what is
// reported.
func (n *notes) say(ctx context.Context, one *known, said request.PolicyOutcome) error {
	n.mutex.Lock()
	before := n.said[one.uid]
	if before.outcome == said && !before.at.IsZero() {
		n.mutex.Unlock()
		return nil
	}
	n.said[one.uid] = note{outcome: said}
	n.mutex.Unlock()
	return n.renew(ctx, one)
}

// renew reports the outcome of a request that was not reported yet, or long ago.
func (n *notes) renew(ctx context.Context, one *known) error {
	n.mutex.Lock()
	now := n.now()
	said, isSaid := n.said[one.uid]
	if !isSaid || now.Sub(said.at) < noteTime || !n.take(one.Requester, now) {
		n.mutex.Unlock()
		return nil
	}
	n.mutex.Unlock()
	if err := n.outcomes.Write(ctx, one.object, said.outcome); err != nil {
		return err
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.said[one.uid].outcome == said.outcome {
		n.said[one.uid] = note{said.outcome, now}
	}
	return nil
}

// take takes a token of a requester, if there is one.
func (n *notes) take(requester string, now time.Time) bool {
	of := n.buckets[requester]
	if of == nil {
		if len(n.buckets) > 10_000 {
			clear(n.buckets)
		}
		of = &bucket{tokens: noteBurst, at: now}
		n.buckets[requester] = of
	}
	of.tokens = min(noteBurst, of.tokens+now.Sub(of.at).Seconds()*noteRate)
	of.at = now
	if of.tokens < 1 {
		return false
	}
	of.tokens--
	return true
}

// forget drops what was said of a request that is decided or gone.
func (n *notes) forget(uid types.UID) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	delete(n.said, uid)
}
