package options

import (
	"context"
	"fmt"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Confirmation asks about a request that was just shown.
type Confirmation struct {
	// Person is who is asked; nil if nobody is at a terminal.
	Person *prompt.Person
	// Yes answers in their place.
	Yes bool
	// Verb and Done are what is asked about: "approve", "approved".
	Verb, Done string
	// On says on which of several clusters, such as " on dev, prod". Optional.
	On string
}

// Ask is an approval.Input's Confirm. A no is an approval.ErrDeclined.
func (c Confirmation) Ask(ctx context.Context, review *request.Review) error {
	if c.Yes {
		return nil
	}
	if c.Person == nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "no terminal is available to confirm that %q is to be %s", review.Title(), c.Done),
			"to %s what was shown without a question: --yes", c.Verb)
	}
	verb := strings.ToUpper(c.Verb[:1]) + c.Verb[1:]
	yes, err := c.Person.Confirm(ctx, fmt.Sprintf("%s the request of %s%s?", verb, review.User, c.On))
	if err == nil && !yes {
		err = outcome.Errorf(approval.ErrDeclined, "certificate signing request %q was not %s: you said no", review.Title(), c.Done)
	}
	return err
}
