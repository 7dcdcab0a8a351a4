package team

import (
	"context"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
)

// waiting is the wait for the certificates of a team.
type waiting struct {
	*requests.Awaiting

	mutex sync.Mutex
	// requests has the name of each user's request by the user's place.
	requests []string
}

// await begins to watch the requests, before the first is submitted.
func (s *session) await(ctx context.Context) (*waiting, error) {
	w := &waiting{requests: make([]string, len(s.in.Members))}
	err := s.persevere(ctx, func() (err error) {
		w.Awaiting, err = s.program.Cluster.Requests().AwaitMany(ctx, s.in.Signer, s.trouble)
		return err
	})
	return w, err
}

// expect has a request be watched that is about to be submitted for the user at a place.
// Forget or Await has to follow.
func (w *waiting) expect(name string, place int) {
	w.mutex.Lock()
	w.requests[place] = name
	w.mutex.Unlock()
	w.Expect(name, place)
}

// requestOf is the name of the request of the user at a place; "" if it did not come to one.
func (w *waiting) requestOf(place int) string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.requests[place]
}

// look asks the API server about each request that is waited for, before it is given up: the
// watch may have missed something while the server was away. The channel is closed when it has
// answered.
func (w *waiting) look() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, name := range w.Waiting() {
			if w.Look(name) != nil {
				return
			}
		}
	}()
	return done
}
