package onboard

import (
	"context"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// GrantInput says what users are to be permitted.
type GrantInput struct {
	// Grants is what each user gets. Optional where it is part of another input.
	Grants []access.Grant
	// ToGroup gives it to the user's first group in her place.
	ToGroup bool
	// Group is a group that gets it in place of the user. Optional; for Grant only.
	Group string
	// Allow names refused findings about the user to accept. Optional; for Grant only.
	Allow []string
}

// WantedFor is what a user is to get. To give a group something and be in none is
// wrong usage.
func (in GrantInput) WantedFor(user identity.User) ([]access.Wanted, error) {
	holder := access.Holder{Name: user.Name}
	if in.Group != "" {
		holder = access.Holder{IsGroup: true, Name: in.Group}
	}
	if in.ToGroup && len(in.Grants) > 0 {
		if len(user.Groups) == 0 {
			return nil, outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "the user %q is in no group that could be given anything", user.Name),
				"leave out --to-group, or name a group: kubectl csr-onboard grant --group GROUP")
		}
		holder = access.Holder{IsGroup: true, Name: user.Groups[0]}
	}
	wanted := make([]access.Wanted, len(in.Grants))
	for i, grant := range in.Grants {
		wanted[i] = access.Wanted{Holder: holder, Grant: grant}
	}
	return wanted, nil
}

// CheckGiving finds what would keep a user from getting what she is to get: before
// she has a certificate, which can't be taken back.
func (p *Program) CheckGiving(ctx context.Context, user identity.User, in GrantInput) error {
	wanted, err := in.WantedFor(user)
	if err != nil {
		return err
	}
	for _, one := range wanted {
		if err := p.Cluster.Bindings().CheckGrant(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// Give makes the bindings. Those that are there already stay as they are.
func (p *Program) Give(ctx context.Context, user identity.User, in GrantInput) error {
	wanted, err := in.WantedFor(user)
	if err != nil {
		return err
	}
	for _, one := range wanted {
		if err := p.Cluster.Bindings().ApplyGrant(ctx, one); err != nil {
			return outcome.WithHint(err, "what was approved stays; run the same command again to go on")
		}
		p.Tell(Given{Wanted: one})
	}
	return nil
}

// Grant gives a user or a group what is wanted, and returns the bindings. A user whom nothing
// on the cluster names is warned of. In a client's dry run nothing is made, in a server's the cluster
// checks it.
func (p *Program) Grant(ctx context.Context, user identity.User, in GrantInput, dryRun DryRun) ([]access.Wanted, error) {
	if in.ToGroup {
		var err error
		if user, err = p.lastKnown(ctx, user.Name); err != nil {
			return nil, err
		}
	}
	wanted, err := in.WantedFor(user)
	if err != nil || dryRun == DryRunClient {
		return wanted, err
	}
	if in.Group == "" {
		if err := p.checkReturn(ctx, user, wanted, in.Allow); err != nil {
			return nil, err
		}
	}
	isKnown := make(chan bool, 1)
	go func() { isKnown <- in.Group != "" || in.ToGroup || p.isKnown(ctx, user.Name) }()
	err = p.CheckGiving(ctx, user, in)
	if !<-isKnown && err == nil {
		p.Tell(UserUnknown{Name: user.Name})
	}
	if err != nil || dryRun == DryRunServer {
		return wanted, err
	}
	return wanted, p.Give(ctx, user, in)
}

// checkReturn refuses to give a role to a user who left, or that the holder of another
// certificate of the user would get as well.
func (p *Program) checkReturn(ctx context.Context, user identity.User, wanted []access.Wanted, allowed []string) error {
	standing, err := p.Standing(ctx)
	if err != nil {
		return err
	}
	grants, _, err := p.Cluster.Bindings().Grants(ctx)
	if err != nil {
		return err
	}
	claim := request.Claim{User: user, Gives: NewGrants(wanted, grants)}
	return p.CheckStanding(standing, claim, allowed, func(finding string) string { return "--allow " + finding })
}

// isKnown reports whether a request or a binding on the cluster names a user, or that could
// not be looked up: only a user who was looked for is unknown.
func (p *Program) isKnown(ctx context.Context, name string) bool {
	held, err := p.Cluster.Bindings().HeldBy(ctx, name)
	if err != nil || len(held) > 0 {
		return true
	}
	isNamed := false
	err = p.Cluster.Requests().EachOfUsers(ctx, requests.Query{AllSigners: true}, func(_ *certificatesv1.CertificateSigningRequest, users []string) {
		isNamed = isNamed || slices.Contains(users, name)
	})
	return err != nil || isNamed
}

// lastKnown is who a user is by the newest of her requests on the cluster that was
// approved: what she only asks for counts for nothing.
func (p *Program) lastKnown(ctx context.Context, name string) (identity.User, error) {
	var approved []*request.Review
	err := p.Cluster.Requests().EachOfUsers(ctx, requests.Query{}, func(object *certificatesv1.CertificateSigningRequest, users []string) {
		if !slices.Contains(users, name) {
			return
		}
		if review := request.ReviewOf(object); review.User.Name == name && request.Approval().Is(review.State) {
			approved = append(approved, review)
		}
	})
	if err != nil {
		return identity.User{}, err
	}
	last := request.Newest(approved)
	if last == nil {
		return identity.User{}, outcome.WithHint(
			outcome.Errorf(outcome.ErrNotFound, "which groups the user %q is in is unknown: no approved request of this user is on the cluster", name),
			"name the group itself: kubectl csr-onboard grant --group GROUP, with the same roles; requests are kept for an hour")
	}
	return last.User, nil
}
