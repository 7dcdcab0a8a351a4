package newuser

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// teamOnCluster is what the command is on one of several clusters for the users of a file.
func teamOnCluster(o *newUserOptions, env *cli.Environment) *newUserOptions {
	on := *o
	on.Environment = env
	on.members = slices.Clone(o.members)
	for i := range on.members {
		if o.OneKey {
			on.members[i].KeyFile = o.members[i].Directory.KeyPath()
		}
		on.members[i].Directory = o.members[i].Directory.ForCluster(env.Cluster)
	}
	return &on
}

// runTeamOnClusters onboards the users of a file on several clusters. Each user gets one kubeconfig
// with a context for each cluster on which they have a certificate.
func runTeamOnClusters(ctx context.Context, o *newUserOptions) error {
	joints := make([]*destination.Joint, len(o.members))
	for i, member := range o.members {
		joints[i] = destination.NewJoint(destination.Input{Overwrite: o.fetch.Overwrite}, member.Directory, member.User.Name)
		if err := joints[i].CheckEarly(ctx); err != nil {
			return err
		}
	}
	if err := prepareOneKeys(o); err != nil {
		return err
	}
	var joining sync.Mutex
	var joinErr error
	results := options.OnEach(ctx, &o.clusters, func(ctx context.Context, env *cli.Environment) ([]team.Result, error) {
		on := teamOnCluster(o, env)
		in := on.teamInput()
		work, err := on.programOfTeam(in.DryRun)
		if err != nil {
			return nil, err
		}
		users, err := team.Run(ctx, work, in)
		if users != nil {
			env.Narrator.Tell(team.Summary{Results: users})
			// A cluster that is waited for does not keep the users from the others.
			joining.Lock()
			defer joining.Unlock()
			joinErr = cmp.Or(joinErr, joinTeam(ctx, o, joints, users))
		}
		return users, err
	})
	printErr := printTeamOnClusters(o, joints, results)
	err := clusters.Failure(results, o.Narrator.Tell)
	if err == nil && !o.Approve && !o.Wait {
		o.Narrator.Tell(team.NextSteps{
			Approve: o.clusters.On(o.Environment, identity.NewCommand(cli.Program+" approve --all")),
			Again:   o.clusters.On(o.Environment, o.teamAgain().Words("--wait")),
		})
	}
	return cmp.Or(printErr, joinErr, err)
}

// prepareOneKeys makes the keys that users have on all clusters, with --one-key.
func prepareOneKeys(o *newUserOptions) error {
	if !o.OneKey {
		return nil
	}
	silent := o.WithoutCluster()
	silent.Tell = func(event.Event) {}
	for _, member := range o.members {
		if _, _, err := onboard.PrepareKey(silent, member.NewUserInput); err != nil {
			return fmt.Errorf("the user %s: %w", identity.Quote(member.User.Name), err)
		}
	}
	return nil
}

// joinTeam adds to the kubeconfig of each user the context of a cluster on which they have a
// certificate, and puts its path into the results in place of that for the cluster. It returns the first
// error, and continues with the other users.
func joinTeam(ctx context.Context, o *newUserOptions, joints []*destination.Joint, users []team.Result) (firstErr error) {
	run := o.WithoutCluster().Run()
	tell := run.Tell
	run.Tell = func(told event.Event) {
		// What was written for each user is in the result.
		if _, isJoined := told.(destination.KubeconfigJoined); !isJoined {
			tell(told)
		}
	}
	for i, joint := range joints {
		if !isFetched(users[i]) || ctx.Err() != nil {
			continue
		}
		part := destination.Part{Path: users[i].Path, LoggedIn: users[i].LoggedIn}
		users[i].Path = joint.Path
		if err := joint.Deliver(ctx, run, []destination.Part{part}); err != nil {
			o.Narrator.Tell(team.MemberNotOnboarded{User: o.members[i].User.Name, Line: o.members[i].Line, Reason: err})
			firstErr = cmp.Or(firstErr, err)
		}
	}
	return firstErr
}

// isFetched reports whether a user has a kubeconfig.
func isFetched(result team.Result) bool {
	return result.State == team.MemberFetched || result.State == team.MemberComplete
}

// printTeamOnClusters writes what came of the users: the kubeconfig of each, in the order of the file, or
// the requests on each cluster.
func printTeamOnClusters(o *newUserOptions, joints []*destination.Joint, results []clusters.Result[[]team.Result]) error {
	var all []report.OnCluster[[]team.Result]
	for _, result := range results {
		if result.Value != nil {
			all = append(all, report.OnCluster[[]team.Result]{Cluster: result.Cluster, Value: result.Value})
		}
	}
	if format := o.Output.Format(); format != "" && len(all) > 0 {
		return report.TeamOnClusters(o.Streams.Out, format, all)
	}
	for i, joint := range joints {
		if slices.ContainsFunc(all, func(one report.OnCluster[[]team.Result]) bool { return isFetched(one.Value[i]) }) {
			if err := o.PrintLine("%s", joint.Path); err != nil {
				return err
			}
		}
	}
	if o.Approve || o.Wait {
		return nil
	}
	for _, one := range all {
		prefixed, on := *o.Environment, *o
		prefixed.Streams.Out = screen.Prefixing(o.Streams.Out, render.ClusterPrefix(one.Cluster))
		on.Environment = &prefixed
		if err := on.printTeam(one.Value); err != nil {
			return err
		}
	}
	return nil
}
