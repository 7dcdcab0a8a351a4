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
	cmd.Short = "Review a request and approve exactly what was shown"
	cmd.Long = `Show what is in a certificate signing request, ask, and approve it. NAME is a user name or
the name of a request, which can be written csr/NAME. What is shown is decoded from the request
itself: user, groups, key and fingerprint, who submitted it, and findings.

Approving requires permission to update certificatesigningrequests/approval, and to approve for
signers named kubernetes.io/kube-apiserver-client. doctor says what you can do.

Exactly the object that was shown is approved. If it was changed, replaced or decided by
somebody else in the meantime, nothing is approved.

Without a NAME, you select from the pending requests. --all and --selector select all of
them; each one is decided by itself, and if one is refused, the others continue. Requests for
a user with several pending requests are skipped.

With --yes nobody reviews, and a request for a known user (a role binding or another request
names the user) is approved only if that user submitted it, you did, or somebody did who can
approve it. Otherwise it is skipped, and the exit code is 2. Approve it at a terminal, or with
the --fingerprint that the user told you.

--filename accepts requests that users sent as files: PKCS#10 in PEM or DER, from any program,
or CertificateSigningRequest manifests. They are shown, submitted, approved and waited for, and
--out writes a kubeconfig without a private key, to send back. If you run it again after an
error, it continues. A manifest without a lifetime gets that of --expiration, if it is given. In
a directory, the files with the name of a request are read; every other entry is reported and
not opened, because it may be a private key.

With --contexts, requests are approved on several clusters at the same time. What is the same on
several clusters is shown once, with their names, and asked once; each is approved by itself.
With --out, one file for each user has a certificate for each cluster.

--clusterrole and --role also give the user a role, in the namespace of -n or in all of them.
Whether you can do that is checked before anything is approved.

Findings that refuse a request (a name or group of Kubernetes' own, a weak key, …) and
findings that are warnings are described in
https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/guides/review.md.

` + cli.ExitCodes
	cmd.Example = `  # Review jane's request and decide
  kubectl csr-onboard approve jane

  # Select from the pending requests
  kubectl csr-onboard approve

  # Only review, as a person or in a script
  kubectl csr-onboard approve jane --dry-run=client
  kubectl csr-onboard approve jane --dry-run=client -o json

  # Approve only the key with the fingerprint that jane told you
  kubectl csr-onboard approve jane --fingerprint SHA256:…

  # Without a question, in a script
  kubectl csr-onboard approve jane --yes

  # All pending requests, with one question each
  kubectl csr-onboard approve --all

  # All pending requests that somebody else submitted, so that two people see each
  kubectl csr-onboard approve --all --require-other-approver

  # Give the user a role in one namespace as well
  kubectl csr-onboard approve jane --yes --clusterrole view -n default

  # On several clusters
  kubectl csr-onboard approve jane --contexts dev,prod

  # Approve a request that jane sent as a file, and write the file to send back
  kubectl csr-onboard approve -f jane.csr --out jane.handoff.yaml

  # The same for several clusters, with one file to send back
  kubectl csr-onboard approve -f jane.csr --contexts dev,prod --out jane.handoff.yaml`
	options.AddAllowFlag(cmd, &o.Allow)
	cmd.Flags().BoolVar(&o.RequireOtherApprover, "require-other-approver", false, "refuse a request that you submitted yourself: somebody else has to approve it")
	cmd.Flags().StringArrayVarP(&o.Files, "filename", "f", nil, "approve the request in this file (PEM, DER or a manifest), in each file of this directory with the name of a request ("+strings.Join(store.RequestNames(), ", ")+"), or in standard input (-); can be repeated")
	cmd.Flags().StringVar(&o.Expiration, "expiration", duration.HumanDuration(request.DefaultLifetime), "with --filename, how long the certificate should be valid, such as 8h or 30d; the default is for PKCS#10 requests only, and a manifest that asks for another lifetime is refused")
	_ = cmd.MarkFlagFilename("filename", requestExtensions...)
	o.handoff.Add(cmd.Flags())
	o.grants.Add(cmd, env)
	o.clusters.Add(cmd, env)
	return cmd
}
