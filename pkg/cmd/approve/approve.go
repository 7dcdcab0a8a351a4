package approve

import (
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// New makes the command approve.
func New(env *cli.Environment) *cobra.Command {
	o := &decideOptions{Environment: env, Decision: request.Approval(), Output: options.NewOutput()}
	cmd := o.command()
	cmd.Short = "Look at a request and approve exactly what was shown"
	cmd.Long = `Show what is in a certificate signing request, ask, and approve it. NAME is a
user's name or a request's. What is shown is decoded from the request itself:
user, groups, key and fingerprint, who submitted it, and what is wrong with it.

Only the very object that was shown is approved. If it was changed, replaced or
decided by somebody else meanwhile, nothing is done.

With no NAME, the pending requests are listed to choose from. --all and
--selector take all of them, each for itself: what is refused about one is told,
and the others go on. Requests of a user who has several pending are left alone.

With --yes nobody looks, and a request for a user who is known already (by a role binding
or another request) is approved only if that user submitted it, you did, or somebody did
who could approve it as well. It is left alone otherwise, and the exit code is 2. Approve
it at a terminal, or with the --fingerprint that the user told you.

--filename takes requests that users sent as files: PKCS#10 in PEM or DER, whoever
made them, or CertificateSigningRequest manifests. They are shown, submitted,
approved and waited for, and --out writes a kubeconfig without a private key, to
send back. Run again after a failure, it goes on where it was. A manifest that says
nothing about its lifetime gets that of --expiration, if it is given. Of a directory,
the files are read that are named as requests; every other entry is reported and,
since it may be a private key, not opened.

--clusterrole and --role give the user a role as well, in the namespace of -n or
everywhere. That you may do that is found before anything is approved.

What would refuse a request (a name or group of Kubernetes' own, a weak key, …)
and what is only worth a warning is explained in docs/guides/review.md.

` + cli.ExitCodes
	cmd.Example = `  # Look at jane's request and decide
  kubectl csr-onboard approve jane

  # Choose from the pending requests
  kubectl csr-onboard approve

  # Only look, for a person or for a script
  kubectl csr-onboard approve jane --dry-run=client
  kubectl csr-onboard approve jane --dry-run=client -o json

  # Approve only the key whose fingerprint jane has told you
  kubectl csr-onboard approve jane --fingerprint SHA256:…

  # Without a question, in a script
  kubectl csr-onboard approve jane --yes

  # Everything that is pending, one question each
  kubectl csr-onboard approve --all

  # Let her look at what is in one namespace as well
  kubectl csr-onboard approve jane --yes --clusterrole view -n default

  # A request that jane sent as a file, and the file to send back to her
  kubectl csr-onboard approve -f jane.csr --out jane.handoff.yaml`
	options.AddAllowFlag(cmd, &o.Allow)
	cmd.Flags().StringArrayVarP(&o.Files, "filename", "f", nil, "approve the request in this file (PEM, DER or a manifest), in each file of this directory that is named as one ("+strings.Join(store.RequestNames(), ", ")+"), or on standard input (-); repeat it for several")
	cmd.Flags().StringVar(&o.Expiration, "expiration", duration.HumanDuration(request.DefaultLifetime), "with --filename, how long the certificate should be valid, such as 8h or 30d; the default is for PKCS#10 requests only, and a manifest that asks for another lifetime is refused")
	_ = cmd.MarkFlagFilename("filename", "csr", "req", "p10", "yaml", "yml", "json")
	o.handoff.Add(cmd.Flags())
	o.grants.Add(cmd, env)
	return cmd
}
