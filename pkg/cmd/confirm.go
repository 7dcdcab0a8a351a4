package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// confirmation asks about a request that was just shown.
type confirmation struct {
	// person is who is asked; nil if nobody is at a terminal.
	person *prompt.Person
	// yes answers in her place.
	yes bool
	// verb and done are what is asked about: "approve", "approved".
	verb, done string
}

// ask is an approval.Input's Confirm. Ctrl-C is a no to this request and to
// all that would follow.
func (c confirmation) ask(ctx context.Context, review *request.Review) error {
	if c.yes {
		return nil
	}
	if c.person == nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "nobody is at a terminal to confirm that %q is to be %s", review.Title(), c.done),
			"to %s what was shown without a question: --yes", c.verb)
	}
	verb := strings.ToUpper(c.verb[:1]) + c.verb[1:]
	yes, err := c.person.Confirm(ctx, fmt.Sprintf("%s the request of %s?", verb, review.User))
	no := fmt.Errorf("certificate signing request %q was not %s: you said no", review.Title(), c.done)
	switch {
	case errors.Is(err, prompt.ErrStopped):
		return no
	case err != nil:
		return err
	case !yes:
		return outcome.Errorf(approval.ErrDeclined, "%w", no)
	}
	return nil
}
