package revoke

import (
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/revocations"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

// revocationsOptions is what revocations takes.
type revocationsOptions struct {
	*cli.Environment

	// Output is the form of the list. Optional: lines.
	Output string
}

// NewList makes the command revocations.
func NewList(env *cli.Environment) *cobra.Command {
	o := &revocationsOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "revocations",
		Short: "List who is revoked, and whether that is in force at every API server",
		Long: `List who is revoked, since when, by whom and why, and for each API server whether the list is in
force there, as its enforcer has last seen it. Users who are blocked (offboard --block) are on the
same list, and are refused as well where enforcers run.

The exit code is 1 if the list is not in force at an API server, or has an entry that cannot be
enforced.

` + cli.ExitCodes,
		Example: `  kubectl csr-onboard revocations

  # In a script
  kubectl csr-onboard revocations -o json`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	options.AddFormatFlag(cmd, &o.Output, "lines")
	cmd.AddCommand(newAccept(env), newRender(env))
	return cmd
}

// Complete has nothing to complete.
func (o *revocationsOptions) Complete([]string) error { return nil }

// Connection implements cli.Steps.
func (o *revocationsOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate refuses forms that do not exist.
func (o *revocationsOptions) Validate() error {
	return options.ValidateFormat(o.FlagSet, o.Output, "the list of revocations", "lines")
}

// Run lists.
func (o *revocationsOptions) Run(ctx context.Context) error {
	work, err := o.Connect()
	if err != nil {
		return err
	}
	status, err := revoke.Look(ctx, work)
	if err != nil {
		return err
	}
	if err := revocations.List(o.Streams.Out, o.Output, status, o.Now()); err != nil {
		return err
	}
	missing := len(status.Servers) - revocation.InForce(status.Servers)
	switch {
	case !status.CanRevoke() && len(status.Entries) == 0:
		return nil
	case !status.CanRevoke():
		return outcome.WithHint(errors.New("nothing is known to be in force: no enforcer reports"),
			"set up an enforcer on each control-plane node: %s", revocation.Guide)
	case status.IsMoreInForce():
		return outcome.WithHint(errors.New("the list was deleted, and what it refused is still refused"), "%s", revoke.HowToAccept)
	case missing > 0:
		return fmt.Errorf("the list is not in force at %s", revocation.Of(missing, status.Servers))
	case len(status.Problems) > 0:
		return fmt.Errorf("%s of the list cannot be enforced", english.Plural(len(status.Problems), "entry", ""))
	}
	return nil
}
