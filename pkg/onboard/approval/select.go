package approval

import (
	"cmp"
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Selection says which requests are meant: those named, those in files, or else
// the pending ones.
type Selection struct {
	// Files are requests to submit before they are decided. Optional.
	Files []Imported
	// Names are those of users or of request objects. Optional.
	Names []Name
	// Fingerprint is the public key's, as the user told it. Optional; with it,
	// only a request for that key is meant, and there is one name or file.
	Fingerprint string
	// Labels narrows the pending requests. Optional.
	Labels labels.Selector
	// Choose lets the administrator pick among the pending requests. Optional:
	// without it, all are meant.
	Choose func([]*request.Review) ([]*request.Review, error)
}

// isBulk reports whether the requests are not named one by one, so that what is
// wrong with one does not stop the others.
func (s Selection) isBulk() bool { return len(s.Names) == 0 && len(s.Files) != 1 }

// named resolves each name to one request by what the requests hold, not by what
// their labels say.
func named(ctx context.Context, p *onboard.Program, in Input, all *survey) ([]*request.Review, error) {
	found := map[Name]*request.Review{}
	claimed := claims{}
	for _, name := range in.Names {
		switch object, err := p.Cluster.Requests().Get(ctx, name.Text); {
		case err == nil:
			if review := request.ReviewOf(object); name.IsObject || review.HasDerivedName() {
				found[name] = review
			} else {
				claimed.add(name, review)
			}
		case name.IsObject || !errors.Is(err, outcome.ErrNotFound) && !apierrors.IsForbidden(err):
			return nil, err
		}
	}
	// A list that broke off is an error: the request that was meant may be in the part
	// that is missing.
	if err := all.result(); err != nil {
		return nil, err
	}
	claimed.addOfUsers(userNames(in.Names), all.wanted)
	for _, name := range in.Names {
		if found[name] != nil {
			continue
		}
		if all.unreadErr != nil && !slices.ContainsFunc(claimed[name], func(r *request.Review) bool { return r.User.Name == name.Text }) {
			// Whether a user of that name asks for something cannot be known.
			return nil, all.unreadErr
		}
		review, err := choose(p, name, claimed[name], in)
		if err != nil {
			return nil, err
		}
		found[name] = review
	}
	return inOrder(in, found)
}

// claims holds the requests that each name may mean.
type claims map[Name][]*request.Review

func (c claims) add(name Name, review *request.Review) {
	for _, known := range c[name] {
		if known.Object.UID == review.Object.UID {
			return
		}
	}
	c[name] = append(c[name], review)
}

// addOfUsers adds the requests that are for the users. One for another signer is added only for
// a user without one for the cluster's, which it could otherwise be mistaken for.
func (c claims) addOfUsers(users []string, reviews []*request.Review) {
	foreign := claims{}
	for _, review := range reviews {
		switch user := (Name{Text: review.User.Name}); {
		case !review.IsDecoded() || !slices.Contains(users, user.Text):
		case review.Object.Spec.SignerName == request.Signer:
			c.add(user, review)
		default:
			foreign.add(user, review)
		}
	}
	for user, reviews := range foreign {
		if slices.ContainsFunc(c[user], func(r *request.Review) bool { return r.User.Name == user.Text }) {
			continue
		}
		for _, review := range reviews {
			c.add(user, review)
		}
	}
}

// inOrder lists what was found in the order of the names, each once, and refuses
// another key than the one that was told.
func inOrder(in Input, found map[Name]*request.Review) ([]*request.Review, error) {
	var reviews []*request.Review
	for _, name := range in.Names {
		review := found[name]
		if in.Fingerprint != "" && !review.IsFor(in.Fingerprint) {
			return nil, otherKey(name.Text, in.Fingerprint)
		}
		if !slices.ContainsFunc(reviews, func(r *request.Review) bool { return r.Object.UID == review.Object.UID }) {
			reviews = append(reviews, review)
		}
	}
	return reviews, nil
}

// choose takes the one request that a name can mean. It never guesses between
// two pending ones, nor between a user and an object of their name that is another
// user's.
func choose(p *onboard.Program, called Name, reviews []*request.Review, in Input) (*request.Review, error) {
	name := called.Text
	if len(reviews) == 0 {
		return nil, notFound(name)
	}
	if in.Fingerprint != "" {
		matching := having(reviews, func(r *request.Review) bool { return r.IsFor(in.Fingerprint) })
		if len(matching) == 0 {
			p.Tell(CandidatesFound{Name: name, Reviews: reviews})
			return nil, otherKey(name, in.Fingerprint)
		}
		reviews = matching
	}
	const tellApart = "ask the user for the fingerprint of the key and give it with --fingerprint, or name the request"
	undecided := having(reviews, func(r *request.Review) bool { return r.State == request.Pending })
	ofUser := having(reviews, func(r *request.Review) bool { return r.User.Name == name })
	switch {
	case len(undecided) > 1:
		p.Tell(CandidatesFound{Name: name, Reviews: undecided})
		hint := tellApart
		if areForOneKey(undecided) {
			hint = "they are for the same key; name the request: " + byObject(in.Decision, undecided[0])
		}
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%d pending requests claim the name %q", len(undecided), name), "%s", hint)
	case len(undecided) == 1 && undecided[0].User.Name != name && len(ofUser) > 0:
		p.Tell(CandidatesFound{Name: name, Reviews: reviews})
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%q is a user's name, and the name of a request for another user", name), tellApart)
	case len(undecided) == 1:
		return undecided[0], nil
	}
	// Who was denied once and has a certificate by another request was not denied.
	last := request.Newest(having(reviews, func(r *request.Review) bool { return request.Approval().Is(r.State) }))
	if last == nil {
		last = request.Newest(reviews)
	}
	if !in.Decision.Is(last.State) {
		return nil, decidedAlready(last)
	}
	return last, nil
}

// areForOneKey reports whether a fingerprint cannot tell the requests apart.
func areForOneKey(reviews []*request.Review) bool {
	return !slices.ContainsFunc(reviews, func(r *request.Review) bool { return r.Fingerprint != reviews[0].Fingerprint })
}

// byObject is the command that decides about one request, whatever others its user has.
func byObject(decision request.Decision, review *request.Review) string {
	return identity.NewCommand("kubectl csr-onboard").Words(decision.Verb).Argument(Name{Text: review.Object.Name, IsObject: true}.String()).String()
}

func notFound(name string) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrNotFound, "certificate signing request of the user %q, or with that name, not found", name),
		"list the requests: kubectl csr-onboard list; pending requests are garbage-collected after 24 hours, issued and denied ones after an hour")
}

func otherKey(name, fingerprint string) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "no request of %q is for the key %q", name, fingerprint),
		"do not approve it: ask the user for the fingerprint over another channel")
}

// pending lists the undecided requests that the selection takes in, and leaves
// out those of users for whom several are pending: which is theirs, nobody can tell
// from here.
func pending(in Input, all *survey) (meant, contested []*request.Review, _ error) {
	if err := cmp.Or(all.result(), all.unreadErr); err != nil {
		return nil, nil, err
	}
	byUser := map[string][]*request.Review{}
	for _, review := range all.wanted {
		if review.IsDecoded() {
			byUser[review.User.Name] = append(byUser[review.User.Name], review)
		}
	}
	for _, review := range all.wanted {
		switch {
		case in.Labels != nil && !in.Labels.Matches(labels.Set(review.Object.Labels)):
		case in.Choose == nil && review.IsDecoded() && len(byUser[review.User.Name]) > 1:
			contested = append(contested, review)
		default:
			meant = append(meant, review)
		}
	}
	return meant, contested, nil
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
