package newuser

import (
	"cmp"
	"context"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// validateClusters refuses what is not done on several clusters.
func validateClusters(o *newUserOptions) error {
	if !o.clusters.IsGiven() {
		return cli.RefuseGiven(o.FlagSet, "without --contexts", "one cluster has one key", "one-key")
	}
	if o.OneKey && o.Key != "" {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--one-key and --key exclude each other"), "the key of --key is used on all clusters")
	}
	if err := o.clusters.RefuseOne("offline", "pin"); err != nil {
		return err
	}
	if o.Filename != "" && o.input.DryRun != onboard.DryRunNone {
		if err := o.clusters.Refuse("which with --filename has no dry run", "check the team on each cluster: --context NAME --dry-run=server", "dry-run"); err != nil {
			return err
		}
	}
	if err := o.clusters.RefuseNames(o.Output.Format()); err != nil {
		return err
	}
	return o.fetch.ValidateClusters(&o.clusters)
}

// onCluster is what the command is on one of several clusters. keyFile is the key of all of them; "" where
// each has its own.
func onCluster(o *newUserOptions, env *cli.Environment, keyFile string) *newUserOptions {
	on := *o
	on.Environment = env
	on.input.Directory = o.input.Directory.ForCluster(env.Cluster)
	on.input.KeyFile = cmp.Or(keyFile, o.Key)
	return &on
}

// runOnClusters runs the command for one user on several clusters.
func runOnClusters(ctx context.Context, o *newUserOptions) error {
	if o.Filename != "" {
		return runTeamOnClusters(ctx, o)
	}
	keyFile := ""
	if o.OneKey {
		if _, _, err := onboard.PrepareKey(o.WithoutCluster(), o.input); err != nil {
			return err
		}
		keyFile = o.input.Directory.KeyPath()
	}
	if o.Approve || o.Wait {
		return o.fetch.FetchOnClusters(ctx, o.Environment, &o.clusters, o.input.Directory, o.input.User.Name, o.Output.Format(),
			func(ctx context.Context, env *cli.Environment, program *onboard.Program) (*onboard.Fetched, error) {
				return onCluster(o, env, keyFile).seeThrough(ctx, program)
			})
	}
	results := options.OnEach(ctx, &o.clusters, func(ctx context.Context, env *cli.Environment) (options.Objects, error) {
		on := onCluster(o, env, keyFile)
		program, err := on.programFor(on.input.DryRun)
		if err != nil {
			return options.Objects{}, err
		}
		object, created, err := program.NewUser(ctx, on.input)
		return options.Objects{Done: done(created, o.input.DryRun), Items: []*request.Request{object}}, err
	})
	submitted := options.Done(results)
	if len(submitted) > 0 {
		if o.input.DryRun == onboard.DryRunNone {
			o.Narrator.Tell(clusters.NextSteps{
				Approve: o.clusters.On(o.Environment, identity.NewCommand(cli.Program+" approve").Argument(o.input.User.Name)),
				Fetch:   o.clusters.On(o.Environment, options.FetchCommand(o.nameToFetch(oneName(submitted)), o.Directory)),
			})
		}
		if err := o.Output.PrintOnClusters(o.Streams, submitted); err != nil {
			return err
		}
	}
	return clusters.Failure(results, o.Narrator.Tell)
}

// oneName is the name that the requests on several clusters have; "" if they have not the same one, as
// with a key for each cluster.
func oneName(submitted []report.OnCluster[options.Objects]) string {
	name := submitted[0].Value.Items[0].Name
	for _, one := range submitted {
		if one.Value.Items[0].Name != name {
			return ""
		}
	}
	return name
}
