package options

import (
	"cmp"
	"context"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// ValidateClusters refuses what says something about one cluster, or about one file, together with
// several clusters.
func (f *Fetch) ValidateClusters(c *Clusters) error {
	if err := c.RefuseOne("certificate-only", "set-current", "external-server", "cluster-name", "context-name"); err != nil {
		return err
	}
	if c.IsGiven() && f.Out == "-" {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--out - does nothing with --%s: the kubeconfig is a file to which clusters are added", c.given()), "name a file: --out FILE")
	}
	return c.Validate()
}

// FetchOnClusters fetches a user's certificate from each cluster, and writes one kubeconfig with a
// context for each, whatever fails on one of them. directory is the user's directory.
func (f *Fetch) FetchOnClusters(ctx context.Context, env *cli.Environment, c *Clusters, directory store.UserDirectory, user, format string, fetch func(context.Context, *cli.Environment, *onboard.Program) (*onboard.Fetched, error)) error {
	joint := destination.NewJoint(f.destination(env), directory, user)
	if err := joint.CheckEarly(ctx); err != nil {
		return err
	}
	results := OnEach(ctx, c, func(ctx context.Context, on *cli.Environment) (*onboard.Fetched, error) {
		program, err := on.Connect()
		if err != nil {
			return nil, err
		}
		program.Tell = withoutParts(program.Tell)
		return fetch(ctx, on, program)
	})
	joinErr := f.join(ctx, env, joint, format, Done(results))
	return cmp.Or(joinErr, clusters.Failure(results, env.Narrator.Tell))
}

// withoutParts tells everything but that the kubeconfig of one cluster was written, which is joined
// with the others.
func withoutParts(tell func(event.Event)) func(event.Event) {
	return func(told event.Event) {
		if _, isPart := told.(destination.KubeconfigWritten); !isPart {
			tell(told)
		}
	}
}

// join writes the kubeconfig of all clusters that were fetched from, and reports it.
func (f *Fetch) join(ctx context.Context, env *cli.Environment, joint *destination.Joint, format string, all []report.OnCluster[*onboard.Fetched]) error {
	if len(all) == 0 || ctx.Err() != nil {
		return nil
	}
	parts := make([]destination.Part, len(all))
	for i, one := range all {
		parts[i] = destination.Part{Path: one.Value.Path, LoggedIn: one.Value.LoggedIn}
	}
	if err := joint.Deliver(ctx, env.WithoutCluster().Run(), parts); err != nil {
		return err
	}
	if format == "" {
		return env.PrintLine("%s", joint.Path)
	}
	for i, one := range all {
		fetched := *one.Value
		fetched.Path = joint.Path
		all[i].Value = &fetched
	}
	return report.FetchedOnClusters(env.Streams.Out, format, all)
}
