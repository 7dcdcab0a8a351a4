package options

import (
	"bufio"
	"bytes"
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// Clusters are the flags that run a command on several clusters, each by a context of the kubeconfig.
type Clusters struct {
	// Contexts are names of contexts, or shell patterns of them. Optional.
	Contexts []string
	// From is a file with one of them in each line. Optional; not together with Contexts.
	From string

	// OnlyReads reports whether the command changes nothing.
	OnlyReads bool

	// Each has the environment of the command on each cluster, after Read, in the order of the
	// contexts. It is empty without these flags.
	Each []*cli.Environment

	set *pflag.FlagSet
}

const contextsFromFlag = "contexts-from"

// Add adds the flags.
func (f *Clusters) Add(cmd *cobra.Command, env *cli.Environment) {
	f.set = cmd.Flags()
	cli.ClustersSection.In(f.set, func(flags *pflag.FlagSet) {
		flags.StringSliceVar(&f.Contexts, cli.ContextsFlag, nil, "run on the clusters of these contexts of the kubeconfig, by name or shell pattern, such as 'prod-*'; separated by commas")
		flags.StringVar(&f.From, contextsFromFlag, "", "run on the clusters of the contexts in this file, or in standard input (-): one name or shell pattern in each line; lines that begin with # are comments")
	})
	_ = cmd.RegisterFlagCompletionFunc(cli.ContextsFlag, cli.EachOfList(cli.CompleteFromKubeconfig(env, cli.ContextNames)))
}

// IsGiven reports whether the command is to run on several clusters.
// A command without these flags runs on one.
func (f *Clusters) IsGiven() bool {
	return f.set != nil && (f.set.Changed(cli.ContextsFlag) || f.set.Changed(contextsFromFlag))
}

// given is the flag that was given.
func (f *Clusters) given() string {
	if f.set.Changed(contextsFromFlag) {
		return contextsFromFlag
	}
	return cli.ContextsFlag
}

// Validate refuses contexts that say nothing, and flags that name one cluster.
func (f *Clusters) Validate() error {
	if !f.IsGiven() {
		return nil
	}
	if f.set.Changed(cli.ContextsFlag) && f.set.Changed(contextsFromFlag) {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--contexts and --contexts-from exclude each other"), "add the names to the file")
	}
	if err := f.Refuse("which names the clusters", "leave it out, or name one cluster: --context NAME", cli.ChoosingFlags...); err != nil {
		return err
	}
	if f.set.Changed(contextsFromFlag) {
		return nil
	}
	if len(f.Contexts) == 0 || slices.Contains(f.Contexts, "") {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--contexts has an empty name"), "for example: --contexts dev,prod, or --contexts 'prod-*'")
	}
	return nil
}

// Refuse refuses further flags together with these. why goes behind "does nothing with --contexts".
func (f *Clusters) Refuse(why, hint string, names ...string) error {
	if !f.IsGiven() {
		return nil
	}
	return cli.RefuseGiven(f.set, "with --"+f.given()+", "+why, hint, names...)
}

// RefuseOne refuses flags that say something about one cluster.
func (f *Clusters) RefuseOne(names ...string) error {
	return f.Refuse("which names several clusters", "leave it out, or run the command for each cluster: --context NAME", names...)
}

// RefuseNames refuses -o name, whose lines do not say which cluster an object is on.
func (f *Clusters) RefuseNames(format string) error {
	if !f.IsGiven() || format != "name" {
		return nil
	}
	return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--output name does not say which cluster an object is on, and --%s names several", f.given()),
		"use -o json, or run the command for each context")
}

// Read reads the file of contexts, and finds those of the kubeconfig that are meant.
func (f *Clusters) Read(env *cli.Environment) error {
	if !f.IsGiven() {
		return nil
	}
	wanted := f.Contexts
	if f.set.Changed(contextsFromFlag) {
		var err error
		if wanted, err = f.readFile(env); err != nil {
			return err
		}
	}
	raw, err := env.RawKubeconfig()
	if err != nil {
		return err
	}
	names, err := f.expand(wanted, raw)
	if err != nil {
		return err
	}
	if err := checkDifferent(names, raw); err != nil {
		return err
	}
	for _, name := range names {
		f.Each = append(f.Each, cli.ForContext(env, name))
	}
	return nil
}

// On adds to a command what has it run on the same clusters.
func (f *Clusters) On(env *cli.Environment, command identity.Command) identity.Command {
	names := make([]string, len(f.Each))
	for i, on := range f.Each {
		names[i] = on.Cluster
	}
	return env.SameCluster(cli.OnContexts(command, names...))
}

// readFile reads the names and patterns of a file.
func (f *Clusters) readFile(env *cli.Environment) (wanted []string, _ error) {
	data, err := env.Inputs().Read(f.From)
	if cli.IsWaitOver(err) {
		return nil, err
	}
	if err != nil {
		return nil, outcome.WithHint(outcome.BadFile("--"+contextsFromFlag, f.From, err),
			"name a file with the name of a context in each line, or - for standard input")
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			wanted = append(wanted, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, outcome.BadFile("--"+contextsFromFlag, f.From, err)
	}
	if len(wanted) == 0 {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--contexts-from %q names no context", f.From), "write the name of a context in each line")
	}
	return wanted, nil
}

// expand finds the contexts of a kubeconfig by their names, or by patterns as path.Match has them,
// each of which has its contexts in the order of their names.
func (f *Clusters) expand(wanted []string, raw clientcmdapi.Config) (names []string, _ error) {
	const seeWhich = "see which there are: kubectl config get-contexts"
	known := slices.Sorted(maps.Keys(raw.Contexts))
	for _, one := range wanted {
		found := []string{one}
		if _, exists := raw.Contexts[one]; !exists {
			if !strings.ContainsAny(one, `*?[\`) {
				return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "context %q of --%s not found in the kubeconfig", one, f.given()), seeWhich)
			}
			if _, err := path.Match(one, ""); err != nil {
				return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "invalid pattern %q in --%s", one, f.given()), "for example: 'prod-*', or 'prod-[ab]'")
			}
			found = slices.DeleteFunc(slices.Clone(known), func(name string) bool {
				matches, _ := path.Match(one, name)
				return !matches
			})
		}
		if len(found) == 0 {
			return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "no context of the kubeconfig matches %q of --%s", one, f.given()), seeWhich+"; * does not match a slash")
		}
		for _, name := range found {
			if slices.Contains(names, name) {
				return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--%s names the context %q twice", f.given(), name), "name each context once")
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// checkDifferent refuses contexts of the same cluster, on which everything would be done twice.
func checkDifferent(names []string, raw clientcmdapi.Config) error {
	// A cluster is what its server, tls-server-name and proxy-url reach.
	firstOf := map[[3]string]string{}
	for _, name := range names {
		cluster, exists := raw.Clusters[raw.Contexts[name].Cluster]
		if !exists {
			// Connecting to it says so.
			continue
		}
		reached := [3]string{kubeconfig.NormalServer(cluster.Server), cluster.TLSServerName, cluster.ProxyURL}
		if first, isReached := firstOf[reached]; isReached {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the contexts %q and %q are of the same cluster", first, name), "name one of them")
		}
		firstOf[reached] = name
	}
	return nil
}

// PlaceOf is where a cluster is in the order of the contexts.
func (f *Clusters) PlaceOf(on *cli.Environment) int {
	return slices.IndexFunc(f.Each, func(other *cli.Environment) bool { return other.Cluster == on.Cluster })
}

// OnEach runs do on each cluster at the same time. The results are in the order of the contexts.
func OnEach[T any](ctx context.Context, f *Clusters, do func(context.Context, *cli.Environment) (T, error)) []clusters.Result[T] {
	results := clusters.Run(f.Each, func(on *cli.Environment) string { return on.Cluster }, func(on *cli.Environment) (T, error) {
		return do(ctx, on)
	})
	CompleteHints(f, results)
	return results
}

// CompleteHints has the hint of each cluster's error name that cluster. The results are in the order of
// the contexts.
func CompleteHints[T any](f *Clusters, results []clusters.Result[T]) {
	for i, on := range f.Each {
		results[i].Err = cli.CompleteHint(on, results[i].Err)
	}
}

// OnEachBuffered runs a command on each cluster at the same time, and then writes what each has written,
// line by line behind its cluster.
func OnEachBuffered(ctx context.Context, f *Clusters, env *cli.Environment, run func(context.Context, *cli.Environment) error) error {
	results := OnEach(ctx, f, func(ctx context.Context, on *cli.Environment) (*bytes.Buffer, error) {
		var written bytes.Buffer
		buffered := *on
		buffered.Streams.Out = &written
		err := run(ctx, &buffered)
		return &written, err
	})
	for _, result := range results {
		if _, err := screen.Prefixing(env.Streams.Out, render.ClusterPrefix(result.Cluster)).Write(result.Value.Bytes()); err != nil {
			return err
		}
	}
	if f.OnlyReads {
		return clusters.FailureToRead(results, env.Narrator.Tell)
	}
	return clusters.Failure(results, env.Narrator.Tell)
}

// Done are the results of the clusters on which a use case was completed.
func Done[T any](results []clusters.Result[T]) (done []report.OnCluster[T]) {
	for _, result := range results {
		if result.Err == nil {
			done = append(done, report.OnCluster[T]{Cluster: result.Cluster, Value: result.Value})
		}
	}
	return done
}
