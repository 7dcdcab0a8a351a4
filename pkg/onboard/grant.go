package onboard

import (
	"context"
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// GrantInput says what users are to be permitted.
type GrantInput struct {
	// Grants is what each user gets. Optional where it is part of another input.
	Grants []access.Grant
	// ToGroup gives it to the user's first group in their place, which is never that of a pin.
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
		groups := slices.DeleteFunc(slices.Clone(user.Groups), access.IsPinGroup)
		if len(groups) == 0 {
			return nil, outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "the user %q is not in any group, so --to-group has no group to give a role to", user.Name),
				"leave out --to-group, or name a group: kubectl csr-onboard grant --group GROUP")
		}
		holder = access.Holder{IsGroup: true, Name: groups[0]}
	}
	wanted := make([]access.Wanted, len(in.Grants))
	for i, grant := range in.Grants {
		wanted[i] = access.Wanted{Holder: holder, Grant: grant}
	}
	return wanted, nil
}

// CheckGiving finds what would keep a user from getting what they are to get: before
// they have a certificate, which cannot be taken back.
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

// Give makes the bindings. Those that already exist stay as they are.
func (p *Program) Give(ctx context.Context, user identity.User, in GrantInput) error {
	wanted, err := in.WantedFor(user)
	if err != nil {
		return err
	}
	for _, one := range wanted {
		if err := p.Cluster.Bindings().ApplyGrant(ctx, one); err != nil {
			return outcome.WithHint(err, "what was approved stays; run the same command again to continue")
		}
		p.Tell(Given{Wanted: one})
	}
	return nil
}
