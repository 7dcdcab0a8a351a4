package recording

import (
	"context"
	"sync"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Standby records certificates where the cluster has a ledger and no recorder runs, as far as its
// client is permitted to.
type Standby struct {
	ready         sync.WaitGroup
	records       *resources.Records
	circumstances ledger.Circumstances
	// isReady reports that this client knows all that a record says. seen is what a recorder has last said of
	// itself, as of the time at, by the clock of this machine.
	isReady bool
	seen    resources.Sighting
	at      time.Time
}

// BeginStandby begins to find out whether certificates are to be recorded. Without a ledger,
// that is one question.
func BeginStandby(ctx context.Context, client *cluster.Client, now func() time.Time) *Standby {
	s := &Standby{}
	s.ready.Go(func() { s.isReady = s.prepare(ctx, client, now) })
	return s
}

func (s *Standby) prepare(ctx context.Context, client *cluster.Client, now func() time.Time) (isReady bool) {
	var err error
	if s.records, err = client.Resources().Records(); err != nil || s.records.CheckListable(ctx) != nil {
		return false
	}
	var circumstancesErr error
	var reading sync.WaitGroup
	reading.Go(func() { s.circumstances, circumstancesErr = Circumstances(ctx, client) })
	s.seen, err = client.Resources().RecorderSeen(ctx)
	s.at = now()
	reading.Wait()
	return err == nil && circumstancesErr == nil
}

// hasRecorder reports whether a recorder runs that records the certificate of a request. Where the clock of
// this machine is behind that of the cluster, a recorder that has stopped seems to run: what counts then is
// whether it ran when the request was last written. To record what a recorder records as well does no harm.
func (s *Standby) hasRecorder(object *request.Request) bool {
	isSilent := func(at time.Time) bool { return at.Sub(s.seen.At) >= ledger.RecorderSilence }
	return !isSilent(s.at) && !isSilent(lastWritten(object))
}

// lastWritten is when a request was last written, by the clock of the API server, to the second.
func lastWritten(object *request.Request) time.Time {
	latest := object.CreationTimestamp.Time
	for _, entry := range object.ManagedFields {
		if entry.Time != nil && entry.Time.After(latest) {
			latest = entry.Time.Time
		}
	}
	return latest
}

// Record records the certificate of a request. isNew reports that it was not on the ledger; it is
// false without an error where a recorder runs, or without a ledger.
func (s *Standby) Record(ctx context.Context, object *request.Request) (isNew bool, _ error) {
	if s.ready.Wait(); !s.isReady || object.Spec.SignerName != request.Signer || s.hasRecorder(object) {
		return false, nil
	}
	for _, record := range ledger.OfRequest(object, s.circumstances) {
		_, isFirst, err := Write(ctx, s.records, record)
		if err != nil {
			return isNew, err
		}
		isNew = isNew || isFirst
	}
	return isNew, nil
}
