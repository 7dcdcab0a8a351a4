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
	cmd.Short = "Deny a request, with a reason that its user will see"
	cmd.Long = `Show what is in a certificate signing request, ask, and deny it. NAME is a user's
name or a request's. Whoever waits for the certificate is told the message. A
denial can't be taken back; the user asks again with a new request once this one
is deleted or collected.

Only the very object that was shown is denied. If it was changed, replaced or
decided by somebody else meanwhile, nothing is done.

` + cli.ExitCodes
	cmd.Example = `  # Tell jane why not
  kubectl csr-onboard deny jane --message "ask your team lead first"

  # Without a question, in a script
  kubectl csr-onboard deny jane --yes`
	return cmd
}
