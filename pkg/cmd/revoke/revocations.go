package revoke

import (
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
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
	// clusters are the clusters whose lists are read, if there are several.
	clusters options.Clusters
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

The exit code is 1 if a revocation is not in force at an API server, or an entry cannot be enforced.

` + cli.ExitCodes,
		Example: `  kubectl csr-onboard revocations

  # In a script
  kubectl csr-onboard revocations -o json

  # On several clusters
  kubectl csr-onboard revocations --contexts dev,prod`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	options.AddFormatFlag(cmd, &o.Output, "lines")
	o.clusters.OnlyReads = true
	o.clusters.Add(cmd, env)
	cmd.AddCommand(newAccept(env), newRender(env))
	return cmd
}

// Complete has nothing to complete.
func (o *revocationsOptions) Complete([]string) error { return nil }

// Connection implements cli.Steps.
func (o *revocationsOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate refuses contexts that say nothing, and forms that do not exist.
func (o *revocationsOptions) Validate() error {
	if err := o.clusters.Validate(); err != nil {
		return err
	}
	return options.ValidateFormat(o.FlagSet, o.Output, "the list of revocations", "lines")
}

// Read finds the contexts that are meant.
func (o *revocationsOptions) Read() error { return o.clusters.Read(o.Environment) }

// Run lists.
func (o *revocationsOptions) Run(ctx context.Context) error {
	switch {
	case !o.clusters.IsGiven():
		return o.run(ctx, o.Environment)
	case o.Output == "":
		return options.OnEachBuffered(ctx, &o.clusters, o.Environment, o.run)
	}
	results := options.OnEach(ctx, &o.clusters, look)
	if !clusters.AreFailed(results) {
		if err := revocations.Lists(o.Streams.Out, o.Output, options.Done(results)); err != nil {
			return err
		}
	}
	for i, result := range results {
		if result.Err == nil {
			results[i].Err = notInForce(result.Value)
		}
	}
	options.CompleteHints(&o.clusters, results)
	return clusters.FailureToRead(results, o.Narrator.Tell)
}

// run lists what is on the cluster of an environment.
func (o *revocationsOptions) run(ctx context.Context, on *cli.Environment) error {
	status, err := look(ctx, on)
	if err != nil {
		return err
	}
	if err := revocations.List(on.Streams.Out, o.Output, status, on.Now()); err != nil {
		return err
	}
	return notInForce(status)
}

func look(ctx context.Context, on *cli.Environment) (*revoke.Status, error) {
	work, err := on.Connect()
	if err != nil {
		return nil, err
	}
	return revoke.Look(ctx, work)
}

// notInForce is the error of a list that is not in force at every API server; nil if it is.
func notInForce(status *revoke.Status) error {
	missing := len(status.Servers) - revocation.InForce(status.Servers)
	switch {
	case !status.CanRevoke() && !status.HasRevocations():
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
