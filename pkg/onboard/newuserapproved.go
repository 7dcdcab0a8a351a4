package onboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/bindings"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// NewUserApproved is the whole story in one run, for an administrator: submit,
// approve, fetch. It asks the cluster whether they can approve, and whether the user may
// get what they are to get, before anything is made, and what the user and their groups may
// do already before anything is submitted.
func (p *Program) NewUserApproved(ctx context.Context, in NewUserInput, giving GrantInput, fetch FetchInput) (*Fetched, error) {
	var allowed []string
	if fetch.Pin != nil {
		// Every other certificate of the user is refused.
		allowed = request.ReturnFindings
		if err := checkNewKey(in); err != nil {
			return nil, err
		}
	}
	var known *bindings.KnownGrants
	var standing *request.Standing
	var grantsErr, standingErr error
	var reading sync.WaitGroup
	reading.Go(func() { known, grantsErr = p.Cluster.Bindings().GrantsOf(ctx, in.User) })
	reading.Go(func() { standing, standingErr = p.Standing(ctx) })
	prepared, err := prepareApproved(ctx, p, in, giving, fetch)
	reading.Wait()
	if err = cmp.Or(err, grantsErr, standingErr); err != nil {
		return nil, err
	}
	if missing := known.Missing(); missing != "" {
		p.Tell(GrantsUnread{Reason: missing})
	}
	if err := p.CheckGrants(in.User, known); err != nil {
		return nil, err
	}
	wanted, err := giving.WantedFor(in.User)
	if err != nil {
		return nil, err
	}
	claim := request.Claim{User: in.User, Key: pki.Fingerprint(prepared.Key.Public()), Gives: NewGrants(wanted, known.Grants)}
	if err := p.CheckStanding(standing, claim, allowed, "--pin", func(finding string) string {
		if finding == request.UserBlocked {
			return "let the name come back with new certificates only: " + pinned(in.User).String()
		}
		return "run new-user without --approve, and then: " + identity.NewCommand("kubectl csr-onboard approve").Argument(in.User.Name).Option("--allow", finding).String()
	}); err != nil {
		return nil, err
	}
	begun := beginLogin(ctx, p, fetch)
	defer begun.end()
	submitted, err := submitPrepared(ctx, p, in, prepared)
	if err == nil {
		err = replaceExpired(ctx, p, in, submitted)
	}
	if err != nil {
		return nil, err
	}
	begun.follow(ctx, p, submitted.Object)
	if err := p.ApproveOwn(ctx, in, submitted); err != nil {
		return nil, err
	}
	if err := p.Give(ctx, in.User, giving); err != nil {
		return nil, err
	}
	return p.collect(ctx, fetch, in.Directory, in.User, submitted, begun)
}

// checkNewKey refuses a key that exists for a user who comes back after a revocation: who has a
// copy of it could use the new certificate, which is not secret.
func checkNewKey(in NewUserInput) error {
	if !in.Directory.HasKey() {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "the private key %q exists, and a user who was revoked comes back with a new one", in.Directory.KeyPath()),
		"move it away, or name another directory: --dir DIR")
}

// prepareApproved looks at what could keep a certificate from being issued and written,
// which cannot be taken back, and makes the key and the request.
func prepareApproved(ctx context.Context, p *Program, in NewUserInput, giving GrantInput, fetch FetchInput) (*Submission, error) {
	var reachErr error
	var reaching sync.WaitGroup
	if fetch.VerifyLogin {
		reaching.Go(func() { reachErr = p.CheckReached(ctx) })
	}
	decideErr := p.Cluster.CheckMayDecide(ctx, in.Signer)
	reaching.Wait()
	if err := cmp.Or(decideErr, reachErr); err != nil {
		return nil, err
	}
	if err := p.CheckGiving(ctx, in.User, giving); err != nil {
		return nil, err
	}
	if err := p.Destination(fetch.Kubeconfig, in.Directory, in.User).CheckEarly(ctx); err != nil {
		return nil, err
	}
	p.WarnOfName(in.User)
	return p.PrepareRequest(in)
}

// ownDoing is what need not be told to a user who submits a request and approves it.
var ownDoing = []string{request.RequestedByOther, request.MoreThanRequester, request.ForeignSigner}

// ApproveOwn approves a request that was submitted in the same run, or was found, unless it
// is decided already. One that was found and asks for another lifetime is refused.
func (p *Program) ApproveOwn(ctx context.Context, in NewUserInput, submitted *Submission) error {
	review := request.ReviewOf(submitted.Object)
	if review.State != request.Pending {
		return nil
	}
	if !submitted.Created {
		approve := identity.NewCommand("kubectl csr-onboard approve").Argument(review.Object.Name)
		remove := identity.NewCommand("kubectl delete csr").Argument(review.Object.Name)
		hint := fmt.Sprintf("to approve it as it is: %s; for another lifetime, have it deleted (%s), and run new-user again", approve, remove)
		if err := CheckLifetime(submitted.Object, in.Lifetime, in.LifetimeSource, hint); err != nil {
			return err
		}
	}
	for _, finding := range review.Findings {
		// Those of their name were told when it was taken.
		ofName := slices.ContainsFunc(identity.Examine(in.User), func(p identity.Problem) bool { return p.Finding == finding.Name })
		if !ofName && !slices.Contains(ownDoing, finding.Name) {
			p.Tell(FindingWarned{Finding: finding})
		}
	}
	// Another signer than the cluster's is in it because they named it.
	if err := review.CheckAllowed([]string{request.ForeignSigner}); err != nil {
		return err
	}
	// The object was submitted by its approver.
	approved, err := p.Cluster.Requests().Decide(ctx, review, request.Approval(), request.Approval().Message("", review.Requester, p.Version), false)
	if err != nil {
		return err
	}
	p.Tell(RequestApproved{Name: approved.Name})
	submitted.Object = approved
	return nil
}

// CheckGrants tells what role bindings give to a user and their groups already,
// and refuses what an administrator has to look at. What could not be read is for the
// caller to tell.
func (p *Program) CheckGrants(user identity.User, known *bindings.KnownGrants) error {
	for _, finding := range request.ExamineGrants(user, known.Grants, known.Reaches) {
		if finding.IsRefused() {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrRefused, "%s: %s", finding.Name, finding.Sentence),
				"if you know that this is right, run new-user without --approve, and then: %s", identity.NewCommand("kubectl csr-onboard approve").Argument(user.Name).Option("--allow", finding.Name))
		}
		p.Tell(FindingWarned{Finding: finding})
	}
	return nil
}
