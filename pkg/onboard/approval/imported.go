package approval

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Imported is a request that somebody sent as a file.
type Imported struct {
	// Source is the file's name. Required.
	Source string
	// Object is what requestfile.Parse made of it. Required unless Err is.
	Object *request.Request
	// SignerAssumed says that the file names no signer (see requestfile.AssumeSigner).
	SignerAssumed bool
	// Lifetime is what the administrator named explicitly; 0 if nothing. One that stands
	// on the cluster already and asks for another lifetime is refused then.
	Lifetime time.Duration
	// Err is why it does not hold a request.
	Err error
}

// name is the name that the request's object has or will have; "" if it cannot be
// submitted.
func (i Imported) name() string {
	if i.Err != nil {
		return ""
	}
	ready, err := request.Submittable(i.Object)
	if err != nil {
		return ""
	}
	return ready.Name
}

// usersIn are the users with one of the names, or for whom there are requests in files, each once.
func usersIn(names []Name, files []Imported) []string {
	users := userNames(names)
	for _, file := range files {
		if file.Err != nil {
			continue
		}
		if parsed, err := file.Object.PKCS10(); err == nil {
			users = append(users, parsed.User().Name)
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// imported reviews requests from files. One that an earlier run has submitted is
// reviewed as it stands on the cluster. Of several files, each stands for itself:
// failures are of those that cannot be decided.
func imported(ctx context.Context, p *onboard.Program, in Input) (reviews []*request.Review, failures []error, _ error) {
	sources := map[string]string{}
	for _, file := range in.Files {
		name := file.name()
		if first, again := sources[name]; again {
			p.Tell(RequestGivenTwice{Source: file.Source, First: first})
			continue
		}
		if name != "" {
			sources[name] = file.Source
		}
		if file.SignerAssumed {
			p.Tell(SignerAssumed{Source: file.Source, Signer: file.Object.Spec.SignerName})
		}
		review, err := importedOne(ctx, p, file)
		if err == nil && in.Fingerprint != "" {
			err = review.CheckKeyOf(file.Source, in.Fingerprint)
		}
		switch {
		case err == nil:
			reviews = append(reviews, review)
		case !in.isBulk() || errors.Is(err, outcome.ErrInterrupted):
			return nil, nil, err
		default:
			failures = append(failures, err)
		}
	}
	return reviews, failures, nil
}

func importedOne(ctx context.Context, p *onboard.Program, file Imported) (*request.Review, error) {
	if file.Err != nil {
		return nil, file.Err
	}
	review := request.ReviewOfFile(file.Object, file.Source)
	ready, err := request.Submittable(file.Object)
	if err != nil {
		// The review has the finding that says so.
		return review, nil
	}
	stored, err := p.Cluster.Requests().Get(ctx, ready.Name)
	if errors.Is(err, outcome.ErrNotFound) {
		return review, nil
	}
	if err != nil {
		return nil, err
	}
	stored = ready.With(stored.CertificateSigningRequest)
	if err := request.CheckSubmitted(stored, ready); err != nil {
		return nil, err
	}
	if err := request.CheckOpen(stored); err != nil {
		return nil, err
	}
	found := request.ReviewOf(stored)
	if file.Lifetime != 0 {
		if err := onboard.CheckLifetime(stored, file.Lifetime, "--expiration", "leave out --expiration to accept it, or deny it and have the user send a new one"); err != nil {
			return nil, err
		}
	}
	p.Tell(onboard.RequestReady{
		Name: stored.Name, Server: p.Cluster.Endpoint().Server, State: found.State,
		AskedLifetime: review.Lifetime, StoredLifetime: found.Lifetime,
	})
	return found, nil
}

// submitReviewed submits what was reviewed in a file, and returns the review of
// what the cluster has stored, which must ask for the same.
func submitReviewed(ctx context.Context, p *onboard.Program, review *request.Review, dryRun bool) (*request.Review, error) {
	ready, err := request.Submittable(review.Object)
	if err != nil {
		return nil, err
	}
	stored, created, err := p.Cluster.Requests().Submit(ctx, ready, dryRun)
	if err != nil {
		return nil, err
	}
	if !created {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrChanged, "certificate signing request %q was submitted by somebody else just now", stored.Name),
			"run the same command again to look at that one")
	}
	if err := request.CheckSubmitted(stored, ready); err != nil {
		return nil, err
	}
	if got := request.LifetimeOf(stored); got != review.Lifetime {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrChanged, "an admission policy of the cluster changed certificate signing request %q: it asks for %s, not for the %s that was shown", stored.Name, onboard.LifetimeOrNone(got), onboard.LifetimeOrNone(review.Lifetime)),
			"%s", afterLifetimeChanged(stored.Name, got, dryRun))
	}
	if !dryRun {
		p.Tell(onboard.RequestReady{
			Name: stored.Name, Server: p.Cluster.Endpoint().Server, State: request.StateOf(stored), Created: true,
			AskedLifetime: review.Lifetime, StoredLifetime: request.LifetimeOf(stored),
		})
	}
	return request.ReviewOf(stored), nil
}

// afterLifetimeChanged says how to approve a request whose lifetime the cluster has
// changed. Submitted, it cannot be changed back.
func afterLifetimeChanged(name string, got time.Duration, dryRun bool) string {
	if dryRun {
		return "ask for what the policy accepts, for example: --expiration " + request.FormatLifetime(got)
	}
	return "it is submitted and not approved; to look at it as it is now, and approve it: " +
		identity.NewCommand("kubectl csr-onboard approve").Argument(name).String() + ", or the same command again, without --expiration"
}
