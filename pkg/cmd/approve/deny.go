package approve

import (
	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// NewDeny makes the command deny.
func NewDeny(env *cli.Environment) *cobra.Command {
	o := &decideOptions{Environment: env, Decision: request.Denial(), Output: options.NewOutput()}
	cmd := o.command()
	cmd.Short = "Deny a request, with a message for its user"
	cmd.Long = `Show what is in a certificate signing request, ask, and deny it. NAME is a user name or the
name of a request, which can be written csr/NAME. Users who wait for the certificate see the
message. A denial cannot be undone; the user creates a new request after this one was deleted or
garbage-collected.

Exactly the object that was shown is denied. If it was changed, replaced or decided by
somebody else in the meantime, nothing is denied.

` + cli.ExitCodes
	cmd.Example = `  # Deny jane's request, and say why
  kubectl csr-onboard deny jane --message "ask your team lead first"

  # Without a question, in a script
  kubectl csr-onboard deny jane --yes`
	return cmd
}
