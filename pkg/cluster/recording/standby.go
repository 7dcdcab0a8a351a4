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
	// isNeeded reports that nobody else records, and that this client knows all that a record says.
	isNeeded bool
}

// BeginStandby begins to find out whether certificates are to be recorded. Without a ledger,
// that is one question.
func BeginStandby(ctx context.Context, client *cluster.Client, now func() time.Time) *Standby {
	s := &Standby{}
	s.ready.Go(func() { s.isNeeded = s.prepare(ctx, client, now) })
	return s
}

func (s *Standby) prepare(ctx context.Context, client *cluster.Client, now func() time.Time) (isNeeded bool) {
	var err error
	if s.records, err = client.Resources().Records(); err != nil || s.records.CheckListable(ctx) != nil {
		return false
	}
	var circumstancesErr error
	var reading sync.WaitGroup
	reading.Go(func() { s.circumstances, circumstancesErr = Circumstances(ctx, client) })
	seen, err := client.Resources().RecorderSeen(ctx)
	reading.Wait()
	return err == nil && circumstancesErr == nil && now().Sub(seen) >= ledger.RecorderSilence
}

// Record records the certificate of a request. isNew reports that it was not on the ledger; it is
// false without an error where a recorder runs, or without a ledger.
func (s *Standby) Record(ctx context.Context, object *request.Request) (isNew bool, _ error) {
	if s.ready.Wait(); !s.isNeeded || object.Spec.SignerName != request.Signer {
		return false, nil
	}
	for _, record := range ledger.OfRequest(object, s.circumstances) {
		isFirst, err := Write(ctx, s.records, record)
		if err != nil {
			return isNew, err
		}
		isNew = isNew || isFirst
	}
	return isNew, nil
}
