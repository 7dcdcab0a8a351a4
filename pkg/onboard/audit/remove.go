package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const (
	// policyDelay is how long an API server may apply a policy that was removed.
	policyDelay = 30 * time.Second
	// poll is the pause between two looks at the requests.
	poll = 200 * time.Millisecond
	// longSilence is after how long a recorder has stopped, however far the clocks of the cluster and of
	// this machine are apart.
	longSilence = time.Hour
	// mostShown is how often a recorder can show itself that was stopped just before.
	mostShown = 2
)

// Release takes the ledger's hold off a cluster: first the policies by which the API server adds
// and guards the finalizer, then the finalizer of every request. Records stay. It refuses while a
// recorder runs, which would add the finalizer again, and waits where one may have just been stopped.
// released is of how many requests.
func Release(ctx context.Context, p *onboard.Program) (released int, _ error) {
	last, err := awaitNoRecorder(ctx, p)
	if err != nil {
		return 0, err
	}
	if err := p.Cluster.Resources().RemovePolicies(ctx); err != nil {
		return 0, err
	}
	client := p.Cluster.Requests()
	// An API server takes a moment to drop a policy: until then it adds the finalizer, and refuses
	// to have it removed.
	for begin := p.Now(); ; {
		found, err := releaseOnce(ctx, client)
		released += found
		switch {
		case err == nil && found == 0:
			return released, nil
		case err != nil && p.Now().Sub(begin) > policyDelay:
			return released, err
		}
		// One that has started meanwhile holds every request again, without an end.
		if err := checkNoRecorder(ctx, p, last); err != nil {
			return released, err
		}
		select {
		case <-ctx.Done():
			return released, outcome.Errorf(outcome.ErrInterrupted, "%w while releasing requests; run it again to continue", outcome.ErrInterrupted)
		case <-time.After(poll):
		}
	}
}

// awaitNoRecorder waits until no recorder has shown itself for as long as one that runs is never
// silent, and returns what was last seen of one. One that shows itself again and again runs. How long it
// was silent is measured here: the clock of the cluster may be another.
func awaitNoRecorder(ctx context.Context, p *onboard.Program) (last resources.Sighting, _ error) {
	var since time.Time
	for shown := 0; ; {
		seen, err := p.Cluster.Resources().RecorderSeen(ctx)
		isOver := seen == resources.Sighting{} || shown == 0 && p.Now().Sub(seen.At) >= longSilence
		switch {
		case err != nil || isOver:
			return seen, err
		case seen != last:
			if shown++; shown > mostShown {
				return seen, errRecorderRuns()
			}
			last, since = seen, p.Now()
			p.Tell(RecorderAwaited{Left: ledger.RecorderSilence})
		case p.Now().Sub(since) >= ledger.RecorderSilence:
			return seen, nil
		}
		select {
		case <-ctx.Done():
			return seen, outcome.Errorf(outcome.ErrInterrupted, "%w before anything was released", outcome.ErrInterrupted)
		case <-time.After(poll):
		}
	}
}

// checkNoRecorder refuses where a recorder has shown itself since it was last seen.
func checkNoRecorder(ctx context.Context, p *onboard.Program, last resources.Sighting) error {
	seen, err := p.Cluster.Resources().RecorderSeen(ctx)
	if err != nil || seen == last || seen == (resources.Sighting{}) {
		return err
	}
	return errRecorderRuns()
}

func errRecorderRuns() error {
	return outcome.WithHint(outcome.Errorf(outcome.ErrRefused, "a recorder runs, which would hold requests again"),
		"stop it: kubectl -n csr-onboard-system delete deployment csr-onboard-recorder")
}

// releaseOnce removes the finalizer from the requests that have it.
func releaseOnce(ctx context.Context, client *requests.Client) (released int, _ error) {
	var held []*request.Request
	if err := client.Each(ctx, requests.Query{AllSigners: true}, func(object *request.Request) {
		if slices.Contains(object.Finalizers, ledger.Finalizer) {
			held = append(held, object)
		}
	}); err != nil {
		return 0, err
	}
	for _, object := range held {
		err := client.SetFinalizers(ctx, object, ledger.WithHold(object.Finalizers, ledger.Release))
		if err != nil && !errors.Is(err, outcome.ErrChanged) && !errors.Is(err, outcome.ErrNotFound) {
			return released, err
		}
		released++
	}
	return released, nil
}
