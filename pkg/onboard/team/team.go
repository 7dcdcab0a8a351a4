package team

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Input is what it takes to onboard many users at once.
type Input struct {
	// Members are the users, each once. Required.
	Members []Member
	// Signer is who is to sign for all of them. Required.
	Signer string
	// DryRun says how much is done, for all of them. Required.
	DryRun onboard.DryRun
	// Approve approves the requests, gives what is to be given, and fetches the
	// kubeconfigs.
	Approve bool
	// Fetch waits for the certificates and writes the kubeconfigs, no matter who approves
	// the requests.
	Fetch bool
	// KeepObjects keeps the request objects in the results.
	KeepObjects bool
	// Timeout is how long to wait while nothing happens at all. Required with Approve
	// or Fetch.
	Timeout time.Duration
	// VerifyLogin reports whether to prove that the certificates log in before their
	// kubeconfigs are written (see proof).
	VerifyLogin bool
	// Kubeconfig says what the kubeconfigs are to hold. Each goes into its user's
	// directory: no Path, and no Merge.
	Kubeconfig destination.Input
}

// collects reports whether the kubeconfigs are fetched.
func (in Input) collects() bool { return (in.Approve || in.Fetch) && in.DryRun == onboard.DryRunNone }

// rehearses reports whether approvals and grants are looked at and not done.
func (in Input) rehearses() bool { return in.Approve && in.DryRun != onboard.DryRunNone }

// Member is one user among many.
type Member struct {
	// NewUserInput is what it takes to ask for their certificate. Its DryRun and Signer
	// are the team's.
	onboard.NewUserInput
	// Grants is what they are to get besides, with Approve. Optional.
	Grants onboard.GrantInput
	// Allow names refused findings about users who left to accept, with Approve.
	// Optional.
	Allow []string
	// Line is where the file names them, for messages; 0 if there is none.
	Line int
}

// MemberState says what came of one user.
type MemberState string

const (
	// MemberFetched is a user whose kubeconfig was written now.
	MemberFetched MemberState = "fetched"
	// MemberComplete is a user who had a kubeconfig with a certificate that is good.
	MemberComplete MemberState = "unchanged"
	// MemberSubmitted is a user whose request was submitted now.
	MemberSubmitted MemberState = "submitted"
	// MemberFound is a user whose request was there.
	MemberFound MemberState = "found"
	// MemberMade is a user whose key and request were made, and sent nowhere.
	MemberMade MemberState = "made"
	// MemberChecked is a user whose request the API server would take.
	MemberChecked MemberState = "checked"
	// MemberFailed is a user who was not onboarded.
	MemberFailed MemberState = "failed"
)

// Result is what came of one user.
type Result struct {
	User  identity.User
	Line  int
	State MemberState
	// Request is the request object's name; "" if it did not come to one.
	Request string
	// Object is the object; nil unless KeepObjects asked for it.
	Object *request.Request
	// Wanted is what the user would get; in a dry run with Approve.
	Wanted []access.Wanted
	// Path is their kubeconfig, or with neither Approve nor Fetch their PKCS#10 request.
	Path string
	// NotAfter is when their certificate ends; zero if there is none.
	NotAfter time.Time
	// LoggedIn reports whether their certificate was tried in this run, and not only verified
	// against the authority of one that was.
	LoggedIn bool
	// Err is why they were not onboarded.
	Err error
}

// Run onboards many users. Each one is independent: what goes wrong with one
// does not stop the others, and the first such error is the result's. What can be
// found out before, such as whether a role exists, is found out before anything is made,
// and nothing is made for a user who lacks something. A server that is away or overloaded is waited for. Run again,
// it continues where it was: users who have a kubeconfig with a good certificate are
// left alone, and what is there of the others is used.
//
// The results are in the order of the members; they are there also with an error, as
// soon as anything was begun.
func Run(ctx context.Context, p *onboard.Program, in Input) ([]Result, error) {
	facts := &circumstances{session: newSession(p, in)}
	if in.DryRun != onboard.DryRunClient {
		if err := facts.checkSubmitting(ctx); err != nil {
			return nil, err
		}
	}
	if in.VerifyLogin && in.collects() {
		if err := p.CheckReached(ctx); err != nil {
			return nil, err
		}
	}
	if in.rehearses() {
		found, err := rehearse(ctx, facts)
		if err != nil {
			return nil, err
		}
		results, err := run(ctx, facts, found)
		return results, cmp.Or(err, found.failure(results))
	}
	if in.Approve {
		if err := facts.checkApproving(ctx); err != nil {
			return nil, err
		}
	}
	results, err := run(ctx, facts, nil)
	return results, cmp.Or(err, failure(results))
}

// failures counts the users who were not onboarded, and returns the first one's error.
func failures(results []Result) (n int, firstErr error) {
	for _, result := range results {
		if result.Err != nil {
			n++
			firstErr = cmp.Or(firstErr, result.Err)
		}
	}
	return n, firstErr
}

// failure is the error of a run, if it has one: the first user's, unless the run was
// interrupted.
func failure(results []Result) error {
	failed, firstErr := failures(results)
	for _, result := range results {
		if errors.Is(result.Err, outcome.ErrInterrupted) {
			firstErr = result.Err
			break
		}
	}
	if failed <= 1 {
		return firstErr
	}
	if errors.Is(firstErr, outcome.ErrInterrupted) {
		return outcome.WithHint(fmt.Errorf("%d of %d users were not onboarded: %w", failed, len(results), firstErr), "run the same command again to continue")
	}
	return outcome.WithHint(fmt.Errorf("%d of %d users were not onboarded; the first: %w", failed, len(results), firstErr),
		"run the same command again to continue with those")
}

// aboutMember says which user an error is about.
func aboutMember(member Member, err error) error {
	if member.Line == 0 {
		return fmt.Errorf("the user %s: %w", identity.Quote(member.User.Name), err)
	}
	return fmt.Errorf("the user %s in line %d: %w", identity.Quote(member.User.Name), member.Line, err)
}
