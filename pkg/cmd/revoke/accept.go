package revoke

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/revocations"
)

// acceptOptions is what revocations accept takes.
type acceptOptions struct {
	*cli.Environment

	waiting
}

func newAccept(env *cli.Environment) *cobra.Command {
	o := &acceptOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "Accept a list of revocations that was created after the old one was deleted",
		Long: `Accept the list of revocations as it is, after it was deleted and created again.

An entry ends when it is removed from the list, and not when the list (the configmap
csr-onboard-blocked in kube-system) is deleted: what a deleted list refused stays refused, and
revocations reports it. After accept, only the users and certificates on the list are refused. First
revoke again the users that must stay refused.

` + cli.ExitCodes,
		Example: `  # See what is kept, and end it
  kubectl csr-onboard revocations
  kubectl csr-onboard revocations accept`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.add(cmd)
	return cmd
}

// Complete implements cli.Steps.
func (o *acceptOptions) Complete([]string) error { return o.complete() }

// Connection implements cli.Steps.
func (o *acceptOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate refuses what contradicts itself.
func (o *acceptOptions) Validate() error { return o.validate(o.FlagSet.Changed("timeout")) }

// Run accepts the list.
func (o *acceptOptions) Run(ctx context.Context) error {
	o.Narrator.In(o.dryRun)
	work, err := o.Connect()
	if err != nil {
		return err
	}
	result, err := revoke.Accept(ctx, work, o.dryRun, o.Timeout)
	if err != nil {
		return err
	}
	return revocations.Accepted(o.Streams.Out, result, o.dryRun.Note())
}

// waiting is what the commands have in common that change the list and wait for the API
// servers.
type waiting struct {
	// Timeout is how long the API servers are waited for. Required; has a default.
	Timeout time.Duration
	// DryRun says how much is done. Required; has a default.
	DryRun options.DryRun

	dryRun onboard.DryRun
}

func (w *waiting) add(cmd *cobra.Command) {
	options.AddTimeoutFlag(cmd.Flags(), &w.Timeout, revoke.DefaultPatience, "how long to wait for the API servers")
	w.DryRun.Add(cmd, "none, client (only check whether it is possible) or server (the cluster checks it)")
}

func (w *waiting) complete() (err error) {
	w.dryRun, err = w.DryRun.Parse()
	return err
}

func (w *waiting) validate(isTimeoutGiven bool) error {
	switch {
	case w.Timeout <= 0:
		return options.NoTimeToWait(w.Timeout)
	case isTimeoutGiven && w.dryRun != onboard.DryRunNone:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--timeout does nothing in a dry run"), "leave out --timeout")
	}
	return nil
}
