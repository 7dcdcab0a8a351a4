package onboard

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Standing reads who is blocked, who was offboarded, and which certificates of requests
// on the cluster are valid. What this client cannot read is said in it; any other failure
// is an error.
func (p *Program) Standing(ctx context.Context) (*request.Standing, error) {
	standing := &request.Standing{Now: p.Now()}
	var unread string
	var blockListErr error
	var reading sync.WaitGroup
	reading.Go(func() { standing.List, unread, blockListErr = p.Cluster.Blocking().List(ctx) })
	listErr := p.Cluster.Requests().Each(ctx, requests.Query{}, func(object *request.Request) { standing.See(object) })
	reading.Wait()
	var forbiddenErr error
	if apierrors.IsForbidden(listErr) {
		forbiddenErr, listErr = listErr, nil
	}
	standing.Unread = WhyStandingUnread(unread, forbiddenErr)
	return standing, cmp.Or(blockListErr, listErr)
}

// WhyStandingUnread joins the reasons why the list of users who left, and the requests, cannot
// be read by this client.
func WhyStandingUnread(unlisted string, forbiddenErr error) string {
	if forbiddenErr == nil {
		return unlisted
	}
	return strings.TrimPrefix(unlisted+"; "+forbiddenErr.Error(), "; ")
}

// NewGrants are those of what is wanted that role bindings do not give already.
func NewGrants(wanted []access.Wanted, grants access.Grants) []access.Wanted {
	return slices.DeleteFunc(slices.Clone(wanted), func(one access.Wanted) bool { return slices.Contains(grants[one.Holder], one.Grant) })
}

// CheckStanding tells what is known, and what could not be read, of a user who might have left, or has another
// certificate, and refuses what is not allowed. by is what allows findings, such as "--pin", and howToAllow
// says how an administrator accepts those that are refused.
func (p *Program) CheckStanding(standing *request.Standing, claim request.Claim, allowed []string, by string, howToAllow func(finding string) string) error {
	if standing.Unread != "" {
		p.Tell(StandingUnread{Reason: standing.Unread})
	}
	for _, finding := range standing.Examine(claim) {
		finding = finding.Accept(allowed, by)
		if finding.IsRefused() {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrRefused, "%s: %s", finding.Name, finding.Sentence),
				"%s; if you know that this is right: %s", request.SafeReturn, howToAllow(finding.Name))
		}
		p.Tell(FindingWarned{Finding: finding})
	}
	return nil
}
