package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// decideOptions is what approve and deny take.
type decideOptions struct {
	*environment

	// Decision is the command's own. Required.
	Decision request.Decision
	// Yes decides without asking. Optional.
	Yes bool
	// Fingerprint is the key's, as the user told it. Optional.
	Fingerprint string
	// Allow names findings to accept. Optional; approve only.
	Allow []string
	// Message goes into the decision. Optional.
	Message string
	// Output is the form of what goes to standard output. Optional.
	Output objectOutput

	flags   *pflag.FlagSet
	names   []string
	person  *prompt.Person
	program *onboard.Program
}

func newApprove(env *environment) *cobra.Command {
	o := &decideOptions{environment: env, Decision: request.Approval(), Output: newObjectOutput()}
	cmd := o.command()
	cmd.Short = "Look at a request and approve exactly what was shown"
	cmd.Long = `Show what is in a certificate signing request, ask, and approve it. NAME is a
user's name or a request's. What is shown is decoded from the request itself:
user, groups, key and fingerprint, who submitted it, and what is wrong with it.

Only the very object that was shown is approved. If it was changed, replaced or
decided by somebody else meanwhile, nothing is done.

` + exitCodes
	cmd.Example = `  # Look at jane's request and decide
  kubectl csr-onboard approve jane

  # Approve only the key whose fingerprint jane has told you
  kubectl csr-onboard approve jane --fingerprint SHA256:…

  # Without a question, in a script
  kubectl csr-onboard approve jane --yes`
	cmd.Flags().StringArrayVar(&o.Allow, "allow", nil, "accept a finding that would refuse the request, by its name; repeat it for several")
	registerCompletion(cmd, "allow", request.Allowable())
	return cmd
}

func newDeny(env *environment) *cobra.Command {
	o := &decideOptions{environment: env, Decision: request.Denial(), Output: newObjectOutput()}
	cmd := o.command()
	cmd.Short = "Deny a request, with a reason that its user will see"
	cmd.Long = `Show what is in a certificate signing request, ask, and deny it. NAME is a user's
name or a request's. Whoever waits for the certificate is told the message. A
denial can't be taken back; the user asks again with a new request once this one
is deleted or collected.

Only the very object that was shown is denied. If it was changed, replaced or
decided by somebody else meanwhile, nothing is done.

` + exitCodes
	cmd.Example = `  # Tell jane why not
  kubectl csr-onboard deny jane --message "ask your team lead first"

  # Without a question, in a script
  kubectl csr-onboard deny jane --yes`
	return cmd
}

// command is what approve and deny have in common.
func (o *decideOptions) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:               o.Decision.Verb + " NAME...",
		Args:              someNames,
		RunE:              inSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	o.flags = flags
	flags.BoolVarP(&o.Yes, "yes", "y", false, o.Decision.Verb+" what is shown without asking")
	flags.StringVar(&o.Fingerprint, "fingerprint", "", o.Decision.Verb+" only a request for the key with this fingerprint, as the user told it")
	flags.StringVar(&o.Message, "message", "", "what to write into the decision")
	o.Output.add(cmd)
	return cmd
}

// Complete finds out who there is to ask and prepares the connection.
func (o *decideOptions) Complete(arguments []string) error {
	o.names = arguments
	o.person = prompt.AtTerminal(o.streams.In, o.streams.ErrOut)
	var err error
	o.program, err = o.connect(render.NewNarrator(o.streams.ErrOut))
	return err
}

// Validate refuses names that no request can have and findings that there are
// not.
func (o *decideOptions) Validate() error {
	for _, name := range o.names {
		if name == "" {
			return outcome.Errorf(outcome.ErrUsage, "a NAME is empty")
		}
	}
	if o.flags.Changed("fingerprint") && !strings.HasPrefix(o.Fingerprint, "SHA256:") {
		// An unset variable in a script must not turn the check off.
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--fingerprint %q is no fingerprint", o.Fingerprint),
			"it begins with SHA256:, as new-user printed it")
	}
	if o.Fingerprint != "" && len(o.names) > 1 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--fingerprint is for one NAME, and there are %d", len(o.names)),
			"%s them one at a time", o.Decision.Verb)
	}
	if err := o.Output.validate(); err != nil {
		return err
	}
	return request.CheckAllowable(o.Allow)
}

// Run shows, asks and decides.
func (o *decideOptions) Run(ctx context.Context) error {
	decided, err := o.program.Decide(ctx, onboard.DecideInput{
		Decision:    o.Decision,
		Names:       o.names,
		Fingerprint: o.Fingerprint,
		Allow:       o.Allow,
		Message:     o.Message,
		Confirm:     o.confirm,
	})
	if len(decided) > 0 {
		if err := o.Output.print(o.streams, o.Decision.Done, decided...); err != nil {
			return err
		}
	}
	return err
}

func (o *decideOptions) confirm(review *request.Review) error {
	if o.Yes {
		return nil
	}
	if o.person == nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "nobody is at a terminal to confirm that %q is to be %s", review.Object.Name, o.Decision.Done),
			"to %s what was shown without a question: --yes", o.Decision.Verb)
	}
	verb := strings.ToUpper(o.Decision.Verb[:1]) + o.Decision.Verb[1:]
	yes, err := o.person.Confirm(fmt.Sprintf("%s the request of %s?", verb, review.User))
	if err != nil {
		return err
	}
	if !yes {
		return fmt.Errorf("certificate signing request %q was not %s: you said no", review.Object.Name, o.Decision.Done)
	}
	return nil
}
