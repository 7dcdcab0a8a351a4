package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// approveOptions is what approve takes.
type approveOptions struct {
	*environment

	// Yes approves without asking. Optional.
	Yes bool
	// Fingerprint is the key's, as the user told it. Optional.
	Fingerprint string
	// Allow names findings to accept. Optional.
	Allow []string
	// Message goes into the approval. Optional.
	Message string
	// Output is the form of what goes to standard output. Optional.
	Output objectOutput

	names   []string
	person  *prompt.Person
	program *onboard.Program
}

func newApprove(env *environment) *cobra.Command {
	o := &approveOptions{environment: env, Output: newObjectOutput()}
	cmd := &cobra.Command{
		Use:   "approve NAME...",
		Short: "Look at a request and approve exactly what was shown",
		Long: `Show what is in a certificate signing request, ask, and approve it. NAME is a
user's name or a request's. What is shown is decoded from the request itself:
user, groups, key and fingerprint, who submitted it, and what is wrong with it.

Only the very object that was shown is approved. If it was changed, replaced or
decided by somebody else meanwhile, nothing is done.

` + exitCodes,
		Example: `  # Look at jane's request and decide
  kubectl csr-onboard approve jane

  # Approve only the key whose fingerprint jane has told you
  kubectl csr-onboard approve jane --fingerprint SHA256:…

  # Without a question, in a script
  kubectl csr-onboard approve jane --yes`,
		Args:              someNames,
		RunE:              inSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.Yes, "yes", "y", false, "approve what is shown without asking")
	flags.StringVar(&o.Fingerprint, "fingerprint", "", "approve only a request for the key with this fingerprint, as the user told it")
	flags.StringArrayVar(&o.Allow, "allow", nil, "accept a finding that would refuse the request, by its name; repeat it for several")
	flags.StringVar(&o.Message, "message", "", "what to write into the approval")
	o.Output.add(cmd)
	registerCompletion(cmd, "allow", request.Allowable())
	return cmd
}

// Complete finds out who there is to ask and prepares the connection.
func (o *approveOptions) Complete(arguments []string) error {
	o.names = arguments
	o.person = prompt.AtTerminal(o.streams.In, o.streams.ErrOut)
	var err error
	o.program, err = o.connect(render.NewNarrator(o.streams.ErrOut))
	return err
}

// Validate refuses names that no request can have and findings that there are
// not.
func (o *approveOptions) Validate() error {
	for _, name := range o.names {
		if name == "" {
			return outcome.Errorf(outcome.ErrUsage, "a NAME is empty")
		}
	}
	if o.Fingerprint != "" && len(o.names) > 1 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--fingerprint is for one NAME, and there are %d", len(o.names)),
			"approve them one at a time")
	}
	if err := o.Output.validate(); err != nil {
		return err
	}
	return request.CheckAllowable(o.Allow)
}

// Run shows, asks and approves.
func (o *approveOptions) Run(ctx context.Context) error {
	approved, err := o.program.Approve(ctx, onboard.ApproveInput{
		Names:       o.names,
		Fingerprint: o.Fingerprint,
		Allow:       o.Allow,
		Message:     o.Message,
		Confirm:     o.confirm,
	})
	if len(approved) > 0 {
		if err := o.Output.print(o.streams, "approved", approved...); err != nil {
			return err
		}
	}
	return err
}

func (o *approveOptions) confirm(review *request.Review) error {
	if o.Yes {
		return nil
	}
	if o.person == nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "nobody is at a terminal to confirm the approval of %q", review.Object.Name),
			"to approve what was shown without a question: --yes")
	}
	yes, err := o.person.Confirm(fmt.Sprintf("Approve the request of %s?", review.User))
	if err != nil {
		return err
	}
	if !yes {
		return fmt.Errorf("certificate signing request %q was not approved: you said no", review.Object.Name)
	}
	return nil
}
