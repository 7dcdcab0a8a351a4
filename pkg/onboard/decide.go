package onboard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// DecideInput is what it takes to approve or deny requests.
type DecideInput struct {
	// Decision is what is decided about all of them. Required.
	Decision request.Decision
	// Names are user names or names of request objects. Required.
	Names []string
	// Fingerprint is the public key's, as the user told it. Optional; with it,
	// only a request for that key is decided.
	Fingerprint string
	// Allow names refused findings to accept in an approval. Optional.
	Allow []string
	// Message is put into the decision. Optional.
	Message string
	// Confirm asks the administrator about what she was just shown. It is not
	// asked where nothing is left to decide. Required.
	Confirm func(*request.Review) error
}

// Decide finds the requests, shows each as it stands, asks, and decides about
// exactly what was shown. All are found, and pass their review if they are to be
// approved, before the first is decided. It returns the decided objects; a request
// that was decided the same way already counts as one.
func (p *Program) Decide(ctx context.Context, in DecideInput) ([]*certificatesv1.CertificateSigningRequest, error) {
	if err := p.Cluster.CheckMayDecide(ctx); err != nil {
		return nil, err
	}
	reviews, err := p.find(ctx, in)
	if err != nil {
		return nil, err
	}
	me, err := p.Cluster.WhoAmI(ctx)
	if err != nil {
		return nil, err
	}
	var decided []*certificatesv1.CertificateSigningRequest
	var pending []*request.Review
	for _, review := range reviews {
		if review.State != request.Pending {
			p.Tell(AlreadyDecided{Decision: in.Decision, Name: review.Object.Name, Message: request.StateMessage(review.Object)})
			decided = append(decided, review.Object)
			continue
		}
		p.Tell(Reviewed{Review: review, Now: p.Now()})
		if in.Decision.Is(request.Approved) {
			if err := review.CheckAllowed(in.Allow); err != nil {
				return decided, err
			}
		}
		pending = append(pending, review)
	}
	for _, review := range pending {
		if err := in.Confirm(review); err != nil {
			return decided, err
		}
		object, err := p.Cluster.Decide(ctx, review, in.Decision, p.signed(in.Decision, in.Message, me.Name))
		if err != nil {
			return decided, err
		}
		decided = append(decided, object)
	}
	return decided, nil
}

// signed says in a decision's message who decided and with what.
func (p *Program) signed(decision request.Decision, message, who string) string {
	by := fmt.Sprintf("%s by %s with kubectl csr-onboard %s", decision.Done, who, p.Version)
	if message == "" {
		return by
	}
	return message + " (" + by + ")"
}

// find resolves each name to one request by what the requests hold, not by
// what their labels say.
func (p *Program) find(ctx context.Context, in DecideInput) ([]*request.Review, error) {
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
	// Who may not list may still get by name. A list that broke off is another
	// matter: the request that was meant may be in the part that is missing.
	if listed != nil && !apierrors.IsForbidden(listed) {
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
		review, err := p.choose(name, reviews, in)
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
func (p *Program) choose(name string, reviews []*request.Review, in DecideInput) (*request.Review, error) {
	if fingerprint := in.Fingerprint; fingerprint != "" {
		matching := having(reviews, func(r *request.Review) bool { return r.Fingerprint == strings.TrimSpace(fingerprint) })
		if len(matching) == 0 {
			p.Tell(CandidatesFound{Name: name, Reviews: reviews})
			return nil, outcome.WithHint(
				outcome.Errorf(outcome.ErrChanged, "no request of %q is for the key %q", name, fingerprint),
				"leave it alone: ask the user for her fingerprint over another channel")
		}
		reviews = matching
	}
	pending := having(reviews, func(r *request.Review) bool { return r.State == request.Pending })
	switch {
	case len(pending) == 1:
		return pending[0], nil
	case len(pending) > 1:
		p.Tell(CandidatesFound{Name: name, Reviews: pending})
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%d pending requests claim the name %q", len(pending), name),
			"ask the user for her key's fingerprint and give it with --fingerprint, or name the request itself")
	}
	if review := newest(having(reviews, func(r *request.Review) bool { return in.Decision.Is(r.State) })); review != nil {
		return review, nil
	}
	decided := newest(reviews)
	return nil, outcome.Errorf(outcome.ErrChanged, "certificate signing request %q of %q is decided already: %s",
		decided.Object.Name, name, request.DescribeDecision(decided.Object))
}

func having(reviews []*request.Review, property func(*request.Review) bool) []*request.Review {
	var matching []*request.Review
	for _, review := range reviews {
		if property(review) {
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
