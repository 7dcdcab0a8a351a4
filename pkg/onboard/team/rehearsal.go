package team

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// rehearsal is what a dry run of a team finds out about the approvals and grants that it does
// not do: everything that is missing, for all users together.
type rehearsal struct {
	*circumstances

	// lacks says of each grant what is missing for it.
	lacks map[access.Grant][]error
	// decideErr is why the client cannot approve; nil if it can.
	decideErr error
}

// rehearse looks for what would keep users from being approved, or from getting what they
// are to get. The error is of the looking.
func rehearse(ctx context.Context, c *circumstances) (*rehearsal, error) {
	r := &rehearsal{circumstances: c, lacks: map[access.Grant][]error{}}
	if r.program.Cluster == nil {
		r.tell(RolesUnchecked{})
		return r, nil
	}
	err := r.persevere(ctx, func() error { return r.program.Cluster.CheckMayDecide(ctx, r.in.Signer) })
	if errors.Is(err, cluster.ErrUnreachable) || errors.Is(err, outcome.ErrInterrupted) {
		return nil, err
	}
	if err != nil {
		r.decideErr = err
		r.tell(onboard.NotDecided{Decision: request.Approval(), Reason: err})
	}
	if err := r.readKnown(ctx); err != nil {
		return nil, err
	}
	for _, member := range r.in.Members {
		wanted, err := member.Grants.WantedFor(member.User)
		if err != nil {
			// It is said of the user.
			continue
		}
		for _, one := range wanted {
			if _, isKnown := r.lacks[one.Grant]; isKnown {
				continue
			}
			lacks, err := r.lacksFor(ctx, one)
			if err != nil {
				return nil, err
			}
			r.lacks[one.Grant] = lacks
		}
	}
	return r, nil
}

// lacksFor finds what is missing for a grant. Whether the server lets this client make the
// binding is asked in a server's dry run only.
func (r *rehearsal) lacksFor(ctx context.Context, wanted access.Wanted) (lacks []error, _ error) {
	err := r.persevere(ctx, func() (err error) {
		lacks, err = r.program.Cluster.Bindings().Missing(ctx, wanted.Grant)
		return err
	})
	switch {
	case apierrors.IsForbidden(err) && r.in.DryRun == onboard.DryRunClient:
		// What is unknown is not better than missing.
		return []error{err}, nil
	case apierrors.IsForbidden(err):
	case err != nil || len(lacks) > 0 || r.in.DryRun == onboard.DryRunClient:
		return lacks, err
	}
	err = r.persevere(ctx, func() error { return r.program.Cluster.Bindings().CheckGrant(ctx, wanted) })
	if errors.Is(err, outcome.ErrInterrupted) {
		return nil, err
	}
	if err != nil {
		lacks = append(lacks, err)
	}
	return lacks, nil
}

// of says what stands in the way of one user, and what the user would get.
func (r *rehearsal) of(member Member) (wanted []access.Wanted, _ error) {
	wanted, err := member.Grants.WantedFor(member.User)
	if err != nil {
		return nil, err
	}
	var lacks []error
	for _, one := range wanted {
		lacks = append(lacks, r.lacks[one.Grant]...)
	}
	return wanted, together(lacks...)
}

// together is one error of those that are not nil, in one sentence and each once. The hint
// is the first's.
func together(errs ...error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	var sentences []string
	for _, err := range errs {
		if !slices.Contains(sentences, err.Error()) {
			sentences = append(sentences, err.Error())
		}
	}
	switch len(sentences) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return outcome.WithHint(outcome.Errorf(errors.Join(errs...), "%s", strings.Join(sentences, "; ")), "%s", outcome.Hint(errs[0]))
}

// failure is the error of a dry run that has found what is missing.
func (r *rehearsal) failure(results []Result) error {
	n, firstErr := failures(results)
	if firstErr == nil {
		return r.decideErr
	}
	return outcome.ReplaceHint(fmt.Errorf("%d of %s cannot be onboarded; the first: %w", n, english.Plural(len(results), "user", ""), firstErr),
		"create what is missing, or change the file, and run the same command again")
}
