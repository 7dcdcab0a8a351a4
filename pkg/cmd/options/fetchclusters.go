package options

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// oneClusterFlags are those of Fetch that say something about one cluster, or about one file.
var oneClusterFlags = []string{"certificate-only", "set-current", "external-server", "cluster-name", "context-name"}

// RefuseForSeveral refuses the same, and further flags, together with a handoff for several clusters.
func (f *Fetch) RefuseForSeveral(source string, further ...string) error {
	const hint = "leave it out, or ask the administrator for a handoff of one cluster"
	why := fmt.Sprintf("with the handoff %q, which is for several clusters", source)
	if f.Out == "-" {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--out - does nothing %s: the kubeconfig is a file to which clusters are added", why), "name a file: --out FILE")
	}
	return cli.RefuseGiven(f.set, why, hint, slices.Concat(oneClusterFlags, further)...)
}

// ValidateClusters refuses what says something about one cluster, or about one file, together with
// several clusters.
func (f *Fetch) ValidateClusters(c *Clusters) error {
	if err := c.RefuseOne(oneClusterFlags...); err != nil {
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
	return f.FetchJoined(ctx, env, directory, user, format, func() ([]clusters.Result[*onboard.Fetched], error) {
		return OnEach(ctx, c, func(ctx context.Context, on *cli.Environment) (*onboard.Fetched, error) {
			program, err := on.Connect()
			if err != nil {
				return nil, err
			}
			program.Tell = WithoutParts(program.Tell)
			return fetch(ctx, on, program)
		}), nil
	})
}

// FetchJoined writes one kubeconfig with a context for each cluster that was fetched from, whatever
// failed on one of them; nothing if all failed before that.
func (f *Fetch) FetchJoined(ctx context.Context, env *cli.Environment, directory store.UserDirectory, user, format string, fetch func() ([]clusters.Result[*onboard.Fetched], error)) error {
	joint := destination.NewJoint(f.destination(env), directory, user)
	if err := joint.CheckEarly(ctx); err != nil {
		return err
	}
	results, err := fetch()
	if err != nil {
		return err
	}
	joinErr := f.join(ctx, env, joint, format, Done(results))
	return cmp.Or(joinErr, clusters.Failure(results, env.Narrator.Tell))
}

// WithoutParts tells everything but that the kubeconfig of one cluster was written, which is joined
// with the others.
func WithoutParts(tell func(event.Event)) func(event.Event) {
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
