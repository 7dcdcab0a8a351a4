package approval

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const (
	// mostHolders bounds about how many users the ledger is asked, and holdersAtOnce about how
	// many at the same time. In a longer list of requests, nothing is said of the ledger.
	mostHolders   = 100
	holdersAtOnce = 16
)

// holdings are the records of users' certificates. A cluster without a ledger has none, and what
// this client cannot read is not said.
type holdings struct {
	records *resources.Records
	of      map[string][]*ledger.ClientCertificate
	// unreadErr is why the ledger cannot be read; nil if it can.
	unreadErr error
}

// askHoldings asks about the users whose names are known before the requests are, so that where
// the ledger is not installed, nobody waits for another answer.
func askHoldings(ctx context.Context, p *onboard.Program, names []string) *holdings {
	h := &holdings{of: map[string][]*ledger.ClientCertificate{}}
	if h.records, h.unreadErr = p.Cluster.Resources().Records(); h.unreadErr != nil {
		return h
	}
	if len(names) == 0 || len(names) > mostHolders {
		h.unreadErr = h.records.CheckListable(ctx)
		return h
	}
	h.ask(ctx, names)
	return h
}

// ask reads the records of users. The first that cannot be read stands for all.
func (h *holdings) ask(ctx context.Context, names []string) {
	var mutex sync.Mutex
	parallel.Map(holdersAtOnce, names, func(name string) struct{} {
		var found []*ledger.ClientCertificate
		_, err := h.records.EachPage(ctx, ledger.Query{User: name}.FieldSelector(), func(page []*ledger.ClientCertificate) error {
			found = append(found, page...)
			return nil
		})
		mutex.Lock()
		defer mutex.Unlock()
		if err != nil {
			h.unreadErr = err
		}
		h.of[name] = found
		return struct{}{}
	})
}

// tell adds to reviews what the user, and the requester if that is another, have already.
func (h *holdings) tell(ctx context.Context, meant []*request.Review, revoked *access.List, now time.Time) {
	holders, unasked := map[string]bool{}, []string{}
	for _, review := range meant {
		for _, name := range holdersOf(review) {
			if _, isAsked := h.of[name]; !isAsked && !holders[name] {
				unasked = append(unasked, name)
			}
			holders[name] = true
		}
	}
	if h.unreadErr != nil || len(holders) > mostHolders {
		return
	}
	if h.ask(ctx, unasked); h.unreadErr != nil {
		return
	}
	for _, review := range meant {
		for _, name := range holdersOf(review) {
			has := access.Certificates{User: name}
			for _, record := range h.of[name] {
				if revoked != nil {
					record.Status.Revoked = record.IsRevokedBy(*revoked, now)
				}
				record.Count(&has, now)
			}
			review.Holdings = append(review.Holdings, has)
		}
	}
}

// holdersOf are the user and the requester of a request, as far as they are known, each once.
func holdersOf(review *request.Review) (names []string) {
	if review.IsDecoded() {
		names = append(names, review.User.Name)
	}
	if requester := review.Requester; requester != "" && !slices.Contains(names, requester) {
		names = append(names, requester)
	}
	return names
}
