package audit

import (
	"context"
	"regexp"
	"sync"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// exportOptions is what ledger export takes.
type exportOptions struct{ *cli.Environment }

func newExport(env *cli.Environment) *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Print every record as JSON lines, with hashes by which ledger verify finds changes",
		Long: `Print every record as JSON lines. Each line has its number and the SHA-256 of the line before, and
the hash of the last line is kept on the cluster, in the ConfigMap csr-onboard-exports of the
namespace csr-onboard-system. ledger verify finds a line that was changed, removed or moved.

` + cli.ExitCodes,
		Example:           `  kubectl csr-onboard ledger export > ledger.jsonl`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(&exportOptions{env}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

// Complete has nothing to complete.
func (o *exportOptions) Complete([]string) error { return nil }

// Connection implements cli.Steps.
func (o *exportOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate has nothing to refuse.
func (o *exportOptions) Validate() error { return nil }

// Run exports.
func (o *exportOptions) Run(ctx context.Context) error {
	work, err := o.Connect()
	if err != nil {
		return err
	}
	return audit.Export(ctx, work, o.Streams.Out)
}

// verifyOptions is what ledger verify takes.
type verifyOptions struct {
	*cli.Environment

	// Head is the hash to compare with. Optional: those that the cluster keeps.
	Head string

	path string
}

func newVerify(env *cli.Environment) *cobra.Command {
	o := &verifyOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Find the line of an export that was changed, removed or moved",
		Long: `Check an export of the ledger: every line against the one before, and the last one against the hash
that the cluster has kept, or against --head. The error names the first line that is not as it was
exported. With --head, no cluster is asked.

` + cli.ExitCodes,
		Example: `  kubectl csr-onboard ledger verify ledger.jsonl`,
		Args:    oneFile,
		RunE:    env.InSteps(o),
	}
	cmd.Flags().StringVar(&o.Head, "head", "", "the hash of the last line, as export has reported it, in place of asking the cluster")
	return cmd
}

func oneFile(cmd *cobra.Command, arguments []string) error {
	if len(arguments) == 1 {
		return nil
	}
	return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%s accepts one FILE, got %d", cmd.Name(), len(arguments)), "see: %s --help", cmd.CommandPath())
}

var head = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

// Complete reads the name of the file.
func (o *verifyOptions) Complete(arguments []string) error {
	o.path = arguments[0]
	return nil
}

// Connection implements cli.Steps.
func (o *verifyOptions) Connection() cli.Connection {
	if o.Head != "" {
		return cli.Connection{Why: "with --head, which asks no cluster", Hint: "leave one of them out"}
	}
	return cli.Connecting()
}

// Validate refuses what is not a hash.
func (o *verifyOptions) Validate() error {
	if o.Head != "" && !head().MatchString(o.Head) {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--head %q is not a SHA-256 in hexadecimal", o.Head), "export reports it on standard error")
	}
	return nil
}

// Run verifies.
func (o *verifyOptions) Run(ctx context.Context) error {
	verified, err := audit.VerifyFile(o.path)
	if err != nil {
		return err
	}
	if o.Head != "" {
		if err := verified.CheckHead(o.Head); err != nil {
			return err
		}
		return o.PrintLine("%s is as it was exported: %s", identity.Quote(o.path), english.Plural(verified.Lines, "line", ""))
	}
	work, err := o.Connect()
	if err != nil {
		return err
	}
	if err := verified.CheckKept(ctx, work); err != nil {
		return err
	}
	return o.PrintLine("%s is as it was exported: %s, %s by %s", identity.Quote(o.path), english.Plural(verified.Lines, "line", ""), pki.Stamp(verified.Export.At), identity.Quote(verified.Export.By))
}

// releaseOptions is what ledger release takes.
type releaseOptions struct{ *cli.Environment }

func newRelease(env *cli.Environment) *cobra.Command {
	return &cobra.Command{
		Use:   "release",
		Short: "Remove what keeps requests on the cluster for the ledger, before you uninstall it",
		Long: `Remove what keeps requests on the cluster for the ledger, before you uninstall it: first the admission
policies, and then the finalizer of every request. Records stay until their CustomResourceDefinition is deleted.
Stop the recorder first; release waits until it has been silent for 15 seconds.

` + cli.ExitCodes,
		Example: `  kubectl -n csr-onboard-system delete deployment csr-onboard-recorder
  kubectl csr-onboard ledger release
  kubectl delete --ignore-not-found -k deploy/ledger/stamps
  kubectl delete --ignore-not-found -k deploy/ledger`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(&releaseOptions{env}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

// Complete has nothing to complete.
func (o *releaseOptions) Complete([]string) error { return nil }

// Connection implements cli.Steps.
func (o *releaseOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate has nothing to refuse.
func (o *releaseOptions) Validate() error { return nil }

// Run releases.
func (o *releaseOptions) Run(ctx context.Context) error {
	work, err := o.Connect()
	if err != nil {
		return err
	}
	released, err := audit.Release(ctx, work)
	if err != nil {
		return err
	}
	return o.PrintLine("no request is held any more; %d were released", released)
}
