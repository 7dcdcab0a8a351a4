package cmd

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/version"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
)

// versionPatience is how long the server's version is waited for, unless
// --request-timeout says otherwise.
const versionPatience = 5 * time.Second

// versionOptions is what version takes.
type versionOptions struct {
	*environment

	// Client leaves the server out. Optional.
	Client bool
	// Output is the form of what goes to standard output. Optional.
	Output string

	narrator *render.Narrator
}

func newVersion(env *environment) *cobra.Command {
	o := &versionOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the program's version, and the server's",
		Long: `Print which release of the program this is, what it was built from and with, and which
release the API server is, if the kubeconfig names one. A server that can't be reached
is a warning.

` + exitCodes,
		Example: `  kubectl csr-onboard version

  # For a script, without asking any server
  kubectl csr-onboard version --client -o json`,
		Args:              noArguments,
		RunE:              env.inSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&o.Client, "client", false, "print the program's own version only, and ask no server")
	cmd.Flags().StringVarP(&o.Output, "output", "o", "", "one of: "+strings.Join(render.Formats(), ", ")+"; lines if not given")
	registerCompletion(cmd, "output", render.Formats())
	return cmd
}

// Complete has nothing to read.
func (o *versionOptions) Complete([]string) error {
	o.narrator = render.NewNarrator(o.streams.ErrOut)
	return nil
}

// Validate refuses forms that there are not.
func (o *versionOptions) Validate() error { return validateFormat(o.Output, "a version", "lines") }

func (o *versionOptions) connection() connection {
	if o.Client {
		return connection{why: "with --client, which asks no server", hint: "leave out --client"}
	}
	return connecting()
}

// Run prints the versions.
func (o *versionOptions) Run(ctx context.Context) error {
	client := render.ClientVersion{
		GitVersion: o.build.Version, GitCommit: o.build.Commit, BuildDate: o.build.Date,
		GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	var server *version.Info
	if !o.Client {
		var err error
		if server, err = o.serverVersion(ctx); err != nil {
			o.narrator.ServerVersionUnknown(err)
		}
	}
	if o.Output != "" {
		return render.Versions(o.streams.Out, o.Output, client, server)
	}
	commit := ""
	if client.GitCommit != "" {
		commit = " (" + client.GitCommit + " of " + client.BuildDate + ")"
	}
	if err := o.printLine("%s %s%s, %s %s", program, client.GitVersion, commit, client.GoVersion, client.Platform); err != nil || server == nil {
		return err
	}
	return o.printLine("server %s, %s %s", identity.Printable(server.GitVersion), identity.Printable(server.GoVersion), identity.Printable(server.Platform))
}

// serverVersion asks the API server that the kubeconfig names; nil if it names none.
func (o *versionOptions) serverVersion(ctx context.Context) (*version.Info, error) {
	raw, err := o.rawKubeconfig()
	if err == nil && len(raw.Contexts) == 0 && *o.flags.APIServer == "" {
		return nil, nil
	}
	timeout, err := o.requestTimeout(versionPatience)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	work, err := o.connect(o.narrator)
	if err != nil {
		return nil, err
	}
	return work.Cluster.ServerVersion(ctx)
}
