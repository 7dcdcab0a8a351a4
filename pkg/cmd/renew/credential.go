package renew

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/process"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// renewFlag has credential renew in place of answering.
const renewFlag = "renew"

// credentialOptions is what credential takes.
type credentialOptions struct {
	*cli.Environment

	// Cache is the credential cache's directory. Required.
	Cache string
	// Renew renews the cache's pair if it is due. Optional.
	Renew bool

	apiVersion string
}

// NewCredential makes the command credential.
func NewCredential(env *cli.Environment) *cobra.Command {
	o := &credentialOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   answer.Command + " " + answer.CacheFlag + " DIR",
		Short: "Answer kubectl with a certificate that renews itself",
		Long: `The credential plugin of a kubeconfig: print certificate and key for kubectl, or any other
Kubernetes client, as an ExecCredential (client.authentication.k8s.io/v1). You need not run this: fetch --exec, new-user --approve --exec
and renew --exec create kubeconfigs that do.

When less than a third of the certificate's lifetime is left, a renewal is started in the
background. Commands use the present certificate, also while the renewal waits for an
administrator, was denied, or the API server cannot be reached; standard error says once a day why
the renewal is not complete. A command waits for another certificate only in the last minute before
the present one expires, or if another process is still renewing it then, and says so. An expired
certificate cannot be renewed: the command fails.

The kubeconfig calls csr-onboard by its name, ` + kubeconfig.Plugin + `. If kuberc's
credentialPluginPolicy lists the plugins that can run, allow that name.

` + cli.ExitCodes,
		Example: `  # What kubectl runs
  kubectl csr-onboard credential --cache ~/.kube/csr-onboard/jane/credential-…`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Cache, answer.CacheFlag[2:], "", "the credential cache, which fetch --exec has created")
	flags.BoolVar(&o.Renew, renewFlag, false, "renew the certificate if it is due, and print nothing; this runs in the background")
	_ = cmd.MarkFlagDirname(answer.CacheFlag[2:])
	return cmd
}

// Complete reads what the client asks for.
func (o *credentialOptions) Complete([]string) error {
	var err error
	o.apiVersion, err = kubeconfig.WantedVersion(process.Variable(answer.InfoVariable))
	return err
}

// Connection implements cli.Steps.
func (o *credentialOptions) Connection() cli.Connection {
	return cli.Connection{Why: "with credential, which goes by what is in its cache", Hint: "kubectl runs this command; to use another certificate: --cache DIR"}
}

// Validate refuses to answer from nowhere.
func (o *credentialOptions) Validate() error {
	if o.Cache == "" {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--cache is missing: kubeconfigs run this command"),
			"to make one that does: %s fetch NAME --exec, or %s renew --exec", cli.Program, cli.Program)
	}
	return nil
}

// approvalPatience is how long a renewal in the background waits for an
// administrator who is at it, or for a program that approves.
const approvalPatience = 30 * time.Second

// Run answers, or renews.
func (o *credentialOptions) Run(ctx context.Context) error {
	work, in := o.WithoutCluster(), o.input()
	if o.Renew {
		return renewal.RenewCached(ctx, work, in.Cache, approvalPatience)
	}
	credential, err := renewal.Credential(ctx, work, in)
	if err != nil {
		return err
	}
	_, err = o.Streams.Out.Write(credential)
	return err
}

// input is what is answered, and from which cache.
func (o *credentialOptions) input() renewal.CredentialInput {
	cache := store.CredentialCacheAt(o.Cache)
	return renewal.CredentialInput{
		Cache:      cache,
		APIVersion: o.apiVersion,
		StartRenewal: func() error {
			return process.StartInBackground(answer.Command, answer.CacheFlag, cache.Directory(), "--"+renewFlag)
		},
	}
}
