package approval

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// survey is what all requests on the cluster say about users.
type survey struct {
	// known are the requests by the user that each is for.
	known map[string][]request.Reference
	// wanted are the reviews of those that were asked for.
	wanted []*request.Review
	// unreadErr is why the requests may not be read; nil if they were.
	unreadErr error
	err       error
	done      chan struct{}
}

// beginSurvey begins to read all requests, which standing takes in, and to review those that are
// wanted. result has to be called.
func beginSurvey(ctx context.Context, p *onboard.Program, standing *request.Standing, wants func(object *request.Request, users []string) bool) *survey {
	s := &survey{known: map[string][]request.Reference{}, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = p.Cluster.Requests().EachOfUsers(ctx, requests.Query{AllSigners: true}, func(object *request.Request, users []string) {
			standing.See(object)
			for _, user := range users {
				s.known[user] = append(s.known[user], request.Reference{Name: object.Name, UID: object.UID})
			}
			if wants(object, users) {
				s.wanted = append(s.wanted, request.ReviewOf(object))
			}
		})
		if apierrors.IsForbidden(s.err) {
			s.unreadErr, s.err = s.err, nil
		}
	}()
	return s
}

// result waits for the end of the survey. A list that may not be read is not an error: who
// may not list may still get by name, and unreadErr says so.
func (s *survey) result() error {
	<-s.done
	return s.err
}

// wanted says which requests a selection needs reviewed. Those for other signers are meant only
// by a name.
func (s Selection) wanted(object *request.Request, users []string) bool {
	switch {
	case len(s.Files) > 0:
		return false
	case len(s.Names) > 0:
		return haveUser(s.Names, users)
	}
	return object.Spec.SignerName == request.Signer && request.StateOf(object) == request.Pending
}

// knownUsers is what the review of requests takes into account of the others.
func (s *survey) knownUsers(meant []*request.Review) request.KnownUsers {
	known := request.KnownUsers{Requests: s.known, Files: map[string]int{}}
	if s.unreadErr != nil {
		known.RequestsUnread = s.unreadErr.Error()
	}
	for _, review := range meant {
		if review.Source != "" && review.IsDecoded() {
			known.Files[review.User.Name]++
		}
	}
	return known
}

// requestersAtOnce bounds how many requesters the cluster is asked about at once.
const requestersAtOnce = 16

// requesters are those whom the cluster was asked about.
type requesters struct {
	// canApprove says of each whether it can approve requests for a signer.
	canApprove map[string]bool
}

// ask asks the cluster which requesters could approve the requests themselves, where a finding
// depends on that. A cluster that does not answer is taken for a no.
func (known *requesters) ask(ctx context.Context, p *onboard.Program, meant []*request.Review, circumstances *request.Circumstances) {
	if known.canApprove == nil {
		known.canApprove = map[string]bool{}
	}
	dependent := map[string][]*request.Review{}
	var unknown []string
	for _, review := range meant {
		if !review.DependsOnRequester(*circumstances) {
			continue
		}
		requester := requesterOf(review)
		if _, isKnown := known.canApprove[requester]; !isKnown && dependent[requester] == nil {
			unknown = append(unknown, requester)
		}
		dependent[requester] = append(dependent[requester], review)
	}
	answers := parallel.Map(requestersAtOnce, unknown, func(requester string) bool {
		can, err := p.Cluster.RequesterCanApprove(ctx, dependent[requester][0].Object.Spec)
		return err == nil && can
	})
	for i, requester := range unknown {
		known.canApprove[requester] = answers[i]
	}
	for requester, reviews := range dependent {
		for _, review := range reviews {
			if known.canApprove[requester] {
				circumstances.AddRequesterCanApprove(review)
			}
		}
	}
}

// requesterOf is a requester and the signer of the request, as the API server recorded both.
func requesterOf(review *request.Review) string {
	spec := review.Object.Spec
	return fmt.Sprintf("%q %q %q %q %q", spec.SignerName, spec.Username, spec.UID, spec.Groups, spec.Extra)
}
