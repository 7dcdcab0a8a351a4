package team

import (
	"context"
	"crypto"
	"errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/bindings"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// circumstances are what is found out about the cluster before anything is created, and what
// follows from it for each user.
type circumstances struct {
	*session

	// known is what role bindings give; nil without Approve, or without a cluster.
	known *bindings.KnownGrants
	// standing is what is known of users who left; nil where known is.
	standing *request.Standing
	// refusals says of each grant why it cannot be given; nil if it can. It is empty in a dry run.
	refusals map[access.Grant]error
}

// checkSubmitting finds what would keep every user's request from being submitted. A server
// that will not say is asked by submitting.
func (c *circumstances) checkSubmitting(ctx context.Context) error {
	var may bool
	err := c.persevere(ctx, func() (err error) {
		may, err = c.program.Cluster.MayI(ctx, cluster.RequestRight("", "create"))
		return err
	})
	switch {
	case errors.Is(err, cluster.ErrUnreachable), errors.Is(err, outcome.ErrInterrupted):
		return err
	case err == nil && !may:
		return outcome.WithHint(errors.New("forbidden: you cannot create certificate signing requests"),
			"nothing was created; ask an administrator for create and get on certificatesigningrequests, or create the requests as files: --offline")
	}
	return nil
}

// checkApproving finds what would keep every user from being approved, and what would keep
// some from getting what they are to get.
func (c *circumstances) checkApproving(ctx context.Context) error {
	if err := c.persevere(ctx, func() error { return c.program.Cluster.CheckMayDecide(ctx, c.in.Signer) }); err != nil {
		return err
	}
	if err := c.readKnown(ctx); err != nil {
		return err
	}
	return c.checkGrants(ctx)
}

// checkGrants finds what would keep users from getting what they are to get. What is wrong with a
// grant is kept for the users who want it; the error is of all of them.
func (c *circumstances) checkGrants(ctx context.Context) error {
	c.refusals = map[access.Grant]error{}
	for _, member := range c.in.Members {
		wanted, err := member.Grants.WantedFor(member.User)
		if err != nil {
			return aboutMember(member, err)
		}
		for _, one := range wanted {
			// What the server permits depends on the role, not on who gets it.
			if _, isChecked := c.refusals[one.Grant]; isChecked {
				continue
			}
			err := c.persevere(ctx, func() error { return c.program.Cluster.Bindings().CheckGrant(ctx, one) })
			if errors.Is(err, outcome.ErrInterrupted) || cluster.MayPass(err) {
				return err
			}
			c.refusals[one.Grant] = err
		}
	}
	return nil
}

// refusalFor says what is wrong with what a user is to get; nil if nothing is.
func (c *circumstances) refusalFor(member Member) error {
	if len(c.refusals) == 0 {
		return nil
	}
	wanted, err := member.Grants.WantedFor(member.User)
	if err != nil {
		return err
	}
	var refusals []error
	for _, one := range wanted {
		refusals = append(refusals, c.refusals[one.Grant])
	}
	return together(refusals...)
}

// readKnown reads what role bindings give already, and what is known of users who left.
func (c *circumstances) readKnown(ctx context.Context) error {
	err := c.persevere(ctx, func() (err error) {
		c.known, err = c.program.Cluster.Bindings().GrantsWithReach(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if missing := c.known.Missing(); missing != "" {
		c.tell(onboard.GrantsUnread{Reason: missing})
	}
	return c.persevere(ctx, func() (err error) {
		c.standing, err = c.program.Standing(ctx)
		return err
	})
}

// checkReturn leaves out a user who is blocked or was offboarded, unless the file says
// otherwise, and one whose role the holder of another certificate would get as well.
func (c *circumstances) checkReturn(member Member, key crypto.PublicKey) error {
	if c.known == nil {
		return nil
	}
	wanted, err := member.Grants.WantedFor(member.User)
	if err != nil {
		return err
	}
	claim := request.Claim{User: member.User, Key: pki.Fingerprint(key), Gives: onboard.NewGrants(wanted, c.known.Grants)}
	return c.program.CheckStanding(c.standing, claim, member.Allow, "allow in the file", func(finding string) string {
		return "write allow: [" + finding + "] for the user into the file"
	})
}
