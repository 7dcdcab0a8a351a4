package audit

import (
	"context"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// importOptions is what ledger import takes.
type importOptions struct {
	*cli.Environment

	// AuditLogs, IssuanceLogs and Certificates are files. At least one is required.
	AuditLogs, IssuanceLogs, Certificates []string

	input audit.Import
}

func newImport(env *cli.Environment) *cobra.Command {
	o := &importOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "import (--audit-log FILE | --issuance-log FILE | --certificate FILE)",
		Short: "Record certificates that were issued before, or elsewhere",
		Long: `Record certificates that were issued before the ledger was installed, or elsewhere: from audit logs
of the API server, from the issuance log of sign, or from certificates. A certificate that is on the
ledger stays as it is, so an import can be repeated.

An audit log holds certificates only where its policy logs the answers about
certificatesigningrequests (level RequestResponse). At level Metadata it says who approved a request,
which is filled in where the ledger does not know it.

` + cli.ExitCodes,
		Example: `  kubectl csr-onboard ledger import --audit-log /var/log/kubernetes/audit.log

  # What was signed on the CA server
  kubectl csr-onboard ledger import --issuance-log issued.jsonl`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.AuditLogs, "audit-log", nil, "an audit log of the API server, in JSON lines; can be repeated")
	flags.StringArrayVar(&o.IssuanceLogs, "issuance-log", nil, "an issuance log of sign; can be repeated")
	flags.StringArrayVar(&o.Certificates, "certificate", nil, "a certificate, in PEM or in a kubeconfig; can be repeated")
	return cmd
}

// Complete has nothing to complete.
func (o *importOptions) Complete([]string) error { return nil }

// Connection implements cli.Steps.
func (o *importOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate asks for something to import.
func (o *importOptions) Validate() error {
	if len(o.AuditLogs)+len(o.IssuanceLogs)+len(o.Certificates) == 0 {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "one of --audit-log, --issuance-log and --certificate is required"),
			"for example: --audit-log /var/log/kubernetes/audit.log")
	}
	return nil
}

// Read reads the certificates.
func (o *importOptions) Read() error {
	o.input = audit.Import{AuditLogs: o.AuditLogs, IssuanceLogs: o.IssuanceLogs}
	for _, path := range o.Certificates {
		certificate, err := options.ReadCertificate(path)
		if err != nil {
			return err
		}
		o.input.Certificates = append(o.input.Certificates, certificate)
	}
	return nil
}

// Run imports.
func (o *importOptions) Run(ctx context.Context) error {
	work, err := o.Connect()
	if err != nil {
		return err
	}
	result, err := o.input.Run(ctx, work)
	if err != nil && result == (audit.Imported{}) {
		return err
	}
	if lineErr := o.PrintLine("%s found, %d new; who approved was learned of %d", english.Plural(result.Found, "certificate", ""), result.New, result.Decisions); err == nil {
		err = lineErr
	}
	return err
}

// seenOptions is what ledger seen takes.
type seenOptions struct {
	*cli.Environment

	// AuditLogs are files. At least one is required.
	AuditLogs []string
}

func newSeen(env *cli.Environment) *cobra.Command {
	o := &seenOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "seen --audit-log FILE",
		Short: "Fill in when each certificate was last used",
		Long: `Fill in when each certificate on the ledger was last used, from audit logs of the API server. The
level Metadata is enough. Kubernetes 1.32 or later names the certificate of each request; see
ledger -o wide.

` + cli.ExitCodes,
		Example:           `  kubectl csr-onboard ledger seen --audit-log /var/log/kubernetes/audit.log`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringArrayVar(&o.AuditLogs, "audit-log", nil, "an audit log of the API server, in JSON lines; can be repeated")
	return cmd
}

// Complete has nothing to complete.
func (o *seenOptions) Complete([]string) error { return nil }

// Connection implements cli.Steps.
func (o *seenOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate asks for a log.
func (o *seenOptions) Validate() error {
	if len(o.AuditLogs) == 0 {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--audit-log is required"), "for example: --audit-log /var/log/kubernetes/audit.log")
	}
	return nil
}

// Run fills in.
func (o *seenOptions) Run(ctx context.Context) error {
	work, err := o.Connect()
	if err != nil {
		return err
	}
	seen, err := audit.FillInSeen(ctx, work, o.AuditLogs)
	if err != nil {
		return err
	}
	return o.PrintLine("%s used, %d not on the ledger; the last use of %d was filled in", english.Plural(seen.Certificates, "certificate", ""), seen.Unknown, seen.Changed)
}
