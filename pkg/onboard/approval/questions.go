package approval

import (
	"cmp"
	"context"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/bindings"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// questions are what the cluster is asked, all at once, about the circumstances of requests.
type questions struct {
	asking sync.WaitGroup
	// all is the survey of requests. It may be used before the others are answered.
	all *survey
	// mayDecideErr is why the client cannot decide; nil if it can.
	mayDecideErr error

	standing                          *request.Standing
	holdings                          *holdings
	unlisted                          string
	circumstances                     request.Circumstances
	whoAmIErr, grantsErr, unlistedErr error
}

// beginQuestions begins to ask, and to review the requests that are wanted. names are users of whom
// is known already that they are meant. wait has to be called.
func beginQuestions(ctx context.Context, p *onboard.Program, names []string, wants func(object *request.Request, users []string) bool) *questions {
	q := &questions{standing: &request.Standing{Now: p.Now()}}
	q.asking.Go(func() { q.standing.List, q.unlisted, q.unlistedErr = p.Cluster.Blocking().List(ctx) })
	q.asking.Go(func() { q.mayDecideErr = p.Cluster.CheckMayDecide(ctx, request.Signer) })
	q.asking.Go(func() {
		var me identity.User
		me, q.whoAmIErr = p.Cluster.WhoAmI(ctx)
		q.circumstances.Approver = me.Name
	})
	q.asking.Go(func() {
		var known *bindings.KnownGrants
		if known, q.grantsErr = p.Cluster.Bindings().GrantsWithReach(ctx); q.grantsErr == nil {
			c := &q.circumstances
			c.Grants, c.GrantsUnread, c.Reaches, c.ReachesUnread = known.Grants, known.Unread, known.Reaches, known.ReachesUnread
		}
	})
	q.asking.Go(func() { q.holdings = askHoldings(ctx, p, names) })
	q.all = beginSurvey(ctx, p, q.standing, wants)
	return q
}

// wait waits for all answers, and returns the first that is an error. That something cannot be read
// by this client is none.
func (q *questions) wait() error {
	q.asking.Wait()
	surveyErr := q.all.result()
	return cmp.Or(q.whoAmIErr, q.grantsErr, surveyErr, q.unlistedErr)
}

// about are the circumstances of some requests, after wait.
func (q *questions) about(ctx context.Context, p *onboard.Program, meant []*request.Review) request.Circumstances {
	q.standing.Unread = onboard.WhyStandingUnread(q.unlisted, q.all.unreadErr)
	circumstances := q.circumstances
	circumstances.Standing = q.standing
	circumstances.Known = q.all.knownUsers(meant)
	for _, review := range meant {
		if q.mayDecideErr == nil && review.Object.Spec.SignerName == request.Signer && review.Requester == circumstances.Approver {
			circumstances.AddRequesterCanApprove(review)
		}
	}
	revoked := &q.standing.List
	if q.unlisted != "" {
		// The records say as much as this client can know.
		revoked = nil
	}
	var asking sync.WaitGroup
	asking.Go(func() { q.holdings.tell(ctx, meant, revoked, p.Now()) })
	new(requesters).ask(ctx, p, meant, &circumstances)
	asking.Wait()
	return circumstances
}
