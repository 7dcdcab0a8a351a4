package cmd

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/version"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
)

// versionPatience is how long the server's version is waited for, unless
// --request-timeout says otherwise.
const versionPatience = 5 * time.Second

// versionOptions is what version takes.
type versionOptions struct {
	*cli.Environment

	// Client leaves the server out. Optional.
	Client bool
	// Output is the form of what goes to standard output. Optional.
	Output string
}

func newVersion(env *cli.Environment) *cobra.Command {
	o := &versionOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of csr-onboard and of the API server",
		Long: `Print the release of csr-onboard, the commit and the Go version that it was built with, and the
release of the API server, if the kubeconfig names one. A server that cannot be reached is a
warning.

` + cli.ExitCodes,
		Example: `  kubectl csr-onboard version

  # In a script, without connecting to a server
  kubectl csr-onboard version --client -o json`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&o.Client, "client", false, "print only the version of csr-onboard, and connect to no server")
	options.AddFormatFlag(cmd, &o.Output, "lines")
	return cmd
}

// Complete has nothing to read.
func (o *versionOptions) Complete([]string) error {
	return nil
}

// Validate refuses forms that there are not.
func (o *versionOptions) Validate() error {
	return options.ValidateFormat(o.FlagSet, o.Output, "a version", "lines")
}

func (o *versionOptions) Connection() cli.Connection {
	if o.Client {
		return cli.Connection{Why: "with --client, which asks no server", Hint: "leave out --client"}
	}
	return cli.Connecting()
}

// Run prints the versions.
func (o *versionOptions) Run(ctx context.Context) error {
	client := report.ClientVersion{
		GitVersion: o.Build.Version, GitCommit: o.Build.Commit, BuildDate: o.Build.Date,
		GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	var server *version.Info
	if !o.Client {
		var err error
		if server, err = o.serverVersion(ctx); errors.Is(err, outcome.ErrInterrupted) {
			return err
		}
		if err != nil {
			o.Narrator.Tell(onboard.ServerVersionUnknown{Reason: err})
		}
	}
	if o.Output != "" {
		return report.Versions(o.Streams.Out, o.Output, client, server)
	}
	commit := ""
	if client.GitCommit != "" {
		commit = " (" + client.GitCommit + " of " + client.BuildDate + ")"
	}
	if err := o.PrintLine("%s %s%s, %s %s", cli.Program, client.GitVersion, commit, client.GoVersion, client.Platform); err != nil || server == nil {
		return err
	}
	return o.PrintLine("server %s, %s %s", identity.Printable(server.GitVersion), identity.Printable(server.GoVersion), identity.Printable(server.Platform))
}

// serverVersion asks the API server that the kubeconfig names; nil if it names none.
func (o *versionOptions) serverVersion(ctx context.Context) (*version.Info, error) {
	raw, err := o.RawKubeconfig()
	if err == nil && len(raw.Contexts) == 0 && *o.Flags.APIServer == "" {
		return nil, nil
	}
	timeout, err := o.RequestTimeout(versionPatience)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	work, err := o.Connect()
	if err != nil {
		return nil, err
	}
	found, err := work.Cluster.ServerVersion(waiting)
	if ctx.Err() != nil {
		return nil, outcome.Errorf(outcome.ErrInterrupted, "%w while asking the API server for its version", outcome.ErrInterrupted)
	}
	return found, err
}
