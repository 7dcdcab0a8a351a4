package revoke

import (
	"context"
	"path"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// renderOptions is what revocations render takes.
type renderOptions struct {
	*cli.Environment

	// Modes is the API server's --authorization-mode, and Base the file that has its
	// authorizers. Exactly one is required.
	Modes, Base string
	// Directory is where the file is going to be on the nodes. Required; has a default.
	Directory string

	base revocation.Base
}

// defaultDirectory is where the guide has the files of a node.
const defaultDirectory = "/etc/kubernetes/csr-onboard"

func newRender(env *cli.Environment) *cobra.Command {
	o := &renderOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "render (--authorization-mode MODES | --base FILE)",
		Short: "Print the authorization file that refuses revoked users and certificates",
		Long: `Print the AuthorizationConfiguration that makes an API server refuse the users and certificates on the
list, as the enforcer of a node writes it, for administrators who distribute such files with their own
tools.

Set up the directory on each node first (csr-onboard-controller enforce init): the file names a
kubeconfig in it, without which an API server does not start. Replace the file by a rename, never in
place. Nobody proves then that an API server has loaded it.

What on the list cannot be enforced is left out and reported. If the list does not exist, nothing is
printed, and the exit code is 4: keep the file that is in place.

` + cli.ExitCodes,
		Example: `  kubectl csr-onboard revocations render --authorization-mode Node,RBAC > authorization.yaml

  # An API server that has an AuthorizationConfiguration already
  kubectl csr-onboard revocations render --base base.yaml > authorization.yaml`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Modes, "authorization-mode", "", "the API server's --authorization-mode, such as Node,RBAC")
	flags.StringVar(&o.Base, "base", "", "a file with the other authorizers of the API server (AuthorizationConfiguration)")
	flags.StringVar(&o.Directory, "directory", defaultDirectory, "the directory of the file on the nodes")
	_ = cmd.MarkFlagFilename("base", "yaml", "json")
	return cmd
}

// Complete has nothing to complete.
func (o *renderOptions) Complete([]string) error { return nil }

// Connection implements cli.Steps.
func (o *renderOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate refuses what cannot be a file of an API server.
func (o *renderOptions) Validate() (err error) {
	switch {
	case (o.Modes == "") == (o.Base == ""):
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "exactly one of --authorization-mode and --base is required"),
			"see how the API servers are started, for example: --authorization-mode Node,RBAC")
	case !path.IsAbs(o.Directory):
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--directory %q is not an absolute path", o.Directory), "for example: %s", identity.Command{}.Option("--directory", defaultDirectory))
	case o.Modes != "":
		if o.base, err = revocation.BaseOfModes(o.Modes); err != nil {
			return outcome.Errorf(outcome.ErrUsage, "--authorization-mode %q: %w", o.Modes, err)
		}
	}
	return nil
}

// Read reads the other authorizers.
func (o *renderOptions) Read() error {
	if o.Base == "" {
		return nil
	}
	text, err := store.ReadFile(o.Base)
	if err == nil {
		o.base, err = revocation.ParseBase(text)
	}
	if err != nil {
		return outcome.BadFile("--base", o.Base, err)
	}
	return nil
}

// Run prints the file.
func (o *renderOptions) Run(ctx context.Context) error {
	work, err := o.Connect()
	if err != nil {
		return err
	}
	text, err := revoke.Render(ctx, work, o.base, path.Join(o.Directory, store.DenierName))
	if err != nil {
		return err
	}
	_, err = o.Streams.Out.Write(text)
	return err
}
