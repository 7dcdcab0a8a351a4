package onboard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// ApproveInput is what it takes to approve requests.
type ApproveInput struct {
	// Names are user names or names of request objects. Required.
	Names []string
	// Fingerprint is the public key's, as the user told it. Optional; with it,
	// only a request for that key is approved.
	Fingerprint string
	// Allow names refused findings to accept. Optional.
	Allow []string
	// Message is put into the approval. Optional.
	Message string
	// Confirm asks the administrator about what she was just shown. It is not
	// asked where nothing is left to decide. Required.
	Confirm func(*request.Review) error
}

// Approve finds the requests, shows each as it stands, asks, and approves
// exactly what was shown. All are found and pass their review before the first
// is approved. It returns the approved objects; a request that was approved
// already counts as one.
func (p *Program) Approve(ctx context.Context, in ApproveInput) ([]*certificatesv1.CertificateSigningRequest, error) {
	if err := p.Cluster.CheckMayApprove(ctx); err != nil {
		return nil, err
	}
	reviews, err := p.find(ctx, in)
	if err != nil {
		return nil, err
	}
	message, err := p.approvalMessage(ctx, in.Message)
	if err != nil {
		return nil, err
	}
	var pending, done []*request.Review
	for _, review := range reviews {
		if review.State == request.Pending {
			pending = append(pending, review)
		} else {
			done = append(done, review)
		}
	}
	var approved []*certificatesv1.CertificateSigningRequest
	for _, review := range done {
		p.Tell(AlreadyApproved{Name: review.Object.Name, Message: request.StateMessage(review.Object)})
		approved = append(approved, review.Object)
	}
	for _, review := range pending {
		p.Tell(Reviewed{Review: review, Now: p.Now()})
		if err := review.CheckAllowed(in.Allow); err != nil {
			return approved, err
		}
	}
	for _, review := range pending {
		if err := in.Confirm(review); err != nil {
			return approved, err
		}
		object, err := p.Cluster.Approve(ctx, review, message)
		if err != nil {
			return approved, err
		}
		p.Tell(RequestApproved{Name: object.Name})
		approved = append(approved, object)
	}
	return approved, nil
}

// approvalMessage says who decided and with what.
func (p *Program) approvalMessage(ctx context.Context, message string) (string, error) {
	me, err := p.Cluster.WhoAmI(ctx)
	if err != nil {
		return "", err
	}
	return p.signed(message, me.Name), nil
}

func (p *Program) signed(message, approver string) string {
	by := fmt.Sprintf("approved by %s with kubectl csr-onboard %s", approver, p.Version)
	if message == "" {
		return by
	}
	return message + " (" + by + ")"
}

// find resolves each name to one request by what the requests hold, not by
// what their labels say.
func (p *Program) find(ctx context.Context, in ApproveInput) ([]*request.Review, error) {
	claims := map[string][]*request.Review{}
	for _, name := range in.Names {
		claims[name] = nil
	}
	listed := p.Cluster.Each(ctx, func(object *certificatesv1.CertificateSigningRequest) {
		review := request.ReviewOf(object)
		if _, wanted := claims[review.User.Name]; wanted && review.User.Name != "" {
			claims[review.User.Name] = append(claims[review.User.Name], review)
		}
		if _, wanted := claims[object.Name]; wanted && object.Name != review.User.Name {
			claims[object.Name] = append(claims[object.Name], review)
		}
	})
	if errors.Is(listed, outcome.ErrInterrupted) {
		return nil, listed
	}
	var found []*request.Review
	seen := map[string]bool{}
	for _, name := range in.Names {
		reviews := claims[name]
		if len(reviews) == 0 {
			// A request for another signer, or an administrator who may get
			// requests but not list them.
			object, err := p.Cluster.Get(ctx, name)
			switch {
			case err == nil:
				reviews = append(reviews, request.ReviewOf(object))
			case errors.Is(err, outcome.ErrNotFound) && listed == nil:
				return nil, outcome.WithHint(
					outcome.Errorf(outcome.ErrNotFound, "there is no certificate signing request of the user %q, or of that name", name),
					"see what there is: kubectl get csr; undecided requests are collected after 24 hours")
			case listed != nil:
				return nil, listed
			default:
				return nil, err
			}
		}
		review, err := p.choose(name, reviews, in.Fingerprint)
		if err != nil {
			return nil, err
		}
		if !seen[string(review.Object.UID)] {
			seen[string(review.Object.UID)] = true
			found = append(found, review)
		}
	}
	return found, nil
}

// choose takes the one request that a name can mean. It never guesses between
// two pending ones.
func (p *Program) choose(name string, reviews []*request.Review, fingerprint string) (*request.Review, error) {
	if fingerprint != "" {
		matching := withFingerprint(reviews, fingerprint)
		if len(matching) == 0 {
			p.Tell(CandidatesFound{Name: name, Reviews: reviews})
			return nil, outcome.WithHint(
				outcome.Errorf(outcome.ErrChanged, "no request of %q is for the key %q", name, fingerprint),
				"do not approve it: ask the user for her fingerprint over another channel")
		}
		reviews = matching
	}
	pending := inState(reviews, request.Pending)
	switch {
	case len(pending) == 1:
		return pending[0], nil
	case len(pending) > 1:
		p.Tell(CandidatesFound{Name: name, Reviews: pending})
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%d pending requests claim the name %q", len(pending), name),
			"ask the user for her key's fingerprint and give it with --fingerprint, or name the request itself")
	}
	if approved := newest(append(inState(reviews, request.Issued), inState(reviews, request.Approved)...)); approved != nil {
		return approved, nil
	}
	decided := newest(reviews)
	return nil, outcome.Errorf(outcome.ErrChanged, "certificate signing request %q of %q is decided already: %s",
		decided.Object.Name, name, strings.ToLower(string(decided.State))+explanation(decided))
}

func explanation(review *request.Review) string {
	if message := request.StateMessage(review.Object); message != "" {
		return " (" + identity.Printable(message) + ")"
	}
	return ""
}

func withFingerprint(reviews []*request.Review, fingerprint string) []*request.Review {
	var matching []*request.Review
	for _, review := range reviews {
		if review.Fingerprint == strings.TrimSpace(fingerprint) {
			matching = append(matching, review)
		}
	}
	return matching
}

func inState(reviews []*request.Review, state request.State) []*request.Review {
	var matching []*request.Review
	for _, review := range reviews {
		if review.State == state {
			matching = append(matching, review)
		}
	}
	return matching
}

func newest(reviews []*request.Review) *request.Review {
	var latest *request.Review
	var at time.Time
	for _, review := range reviews {
		if created := review.Object.CreationTimestamp.Time; latest == nil || created.After(at) {
			latest, at = review, created
		}
	}
	return latest
}
