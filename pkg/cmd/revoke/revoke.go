package revoke

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/revocations"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// revokeOptions is what revoke and unrevoke take.
type revokeOptions struct {
	*cli.Environment

	target target
	// Reason and Until are kept with the entry. Optional.
	Reason, Until string

	waiting
	// clusters are the clusters to revoke on, if there are several.
	clusters options.Clusters

	command string
	isUndo  bool
	entry   access.Entry
	until   *time.Time
}

// New makes the command revoke.
func New(env *cli.Environment) *cobra.Command {
	o := &revokeOptions{Environment: env, command: "revoke NAME"}
	cmd := &cobra.Command{
		Use:   "revoke [NAME]",
		Short: "Revoke a user or one certificate at every API server, reads included",
		Long: `Make every API server refuse a user, or only one certificate or service account token: reads, writes,
discovery and login.

The cluster must have an enforcer on each control-plane node (csr-onboard-controller enforce), and
Kubernetes 1.32 or later. revoke waits until every API server was seen refusing, and reports how many
do. Otherwise the exit code is 1, and the nodes are named; the entry stays on the list. Where the
cluster cannot revoke, nothing is changed: offboard NAME --block refuses at least what the user
writes. Where there is a ledger, the certificates of the user are listed, and those of others that
the user requested or approved.

Not reached: members of system:masters; watches that are open, for up to an hour; exec and
port-forward sessions that are open; users who hold the CA's key. You cannot revoke yourself, the
last administrator, or the identities of Kubernetes' control plane. With --credential-id, the user of
a certificate is looked up in the ledger. If the user stays unknown, the result says which users the
revocation would not reach.

` + cli.ExitCodes,
		Example: `  # Jane leaves
  kubectl csr-onboard revoke jane --reason "left the company"

  # Jane's laptop was stolen; Jane has another certificate
  kubectl csr-onboard revoke --certificate jane.kubeconfig --reason "stolen laptop"

  # On several clusters
  kubectl csr-onboard revoke jane --contexts dev,prod

  # A token that is known from the audit log, for a week
  kubectl csr-onboard revoke --credential-id JTI=9e0c7a2b-5d53-4a6f-8f3e-0f6f0c1d2e3f --until 168h`,
		Args:              oneNameAtMost,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cli.CompleteOneFromCluster(env, cli.KnownUsers),
	}
	o.target.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.Reason, "reason", "", "why, for the list of revocations; the user reads it too where enforcers run with --denier")
	flags.StringVar(&o.Until, "until", "", "until when: a time (RFC 3339) or a duration from now, such as 72h or 30d (default: forever, or until the certificate expires)")
	o.add(cmd)
	o.clusters.Add(cmd, env)
	return cmd
}

// NewUndo makes the command unrevoke.
func NewUndo(env *cli.Environment) *cobra.Command {
	o := &revokeOptions{Environment: env, command: "unrevoke NAME", isUndo: true}
	cmd := &cobra.Command{
		Use:   "unrevoke [NAME]",
		Short: "Remove a user or a certificate from the list of revocations",
		Long: `Remove a user, a certificate or a service account token from the list of revocations, and wait until no
API server refuses it any more. For a user, the record that the user was offboarded and a block
(offboard --block) are removed as well. Role bindings that offboard removed are not restored.

` + cli.ExitCodes,
		Example: `  kubectl csr-onboard unrevoke jane

  kubectl csr-onboard unrevoke --certificate jane.kubeconfig

  # On several clusters
  kubectl csr-onboard unrevoke jane --contexts dev,prod`,
		Args:              oneNameAtMost,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cli.CompleteOneFromCluster(env, cli.KnownUsers),
	}
	o.target.add(cmd)
	o.add(cmd)
	o.clusters.Add(cmd, env)
	return cmd
}

func oneNameAtMost(cmd *cobra.Command, arguments []string) error {
	if len(arguments) > 1 {
		return cli.OneName(cmd, arguments)
	}
	return nil
}

// Complete reads who is meant.
func (o *revokeOptions) Complete(arguments []string) error {
	if err := o.target.complete(o.command, arguments); err != nil {
		return err
	}
	// A user of such a name may be on the list by mistake.
	if !o.isUndo {
		if err := options.RefuseRequestName(o.target.user); err != nil {
			return err
		}
	}
	return o.complete()
}

// Connection implements cli.Steps.
func (o *revokeOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate refuses what cannot be meant.
func (o *revokeOptions) Validate() error {
	if err := o.validate(o.FlagSet.Changed("timeout")); err != nil {
		return err
	}
	if err := o.clusters.Validate(); err != nil {
		return err
	}
	if err := o.target.validate(); err != nil || o.Until == "" {
		return err
	}
	until, err := time.Parse(time.RFC3339, o.Until)
	if err != nil {
		var after time.Duration
		if after, err = request.ParseSpan(o.Until); err != nil {
			after, err = time.ParseDuration(o.Until)
		}
		if err == nil {
			until = o.Now().Add(after)
		}
	}
	switch {
	case err != nil:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--until %q is neither a time nor a duration", o.Until),
			"for example: --until 72h, or --until 2027-01-31T12:00:00Z")
	case !until.After(o.Now()):
		return outcome.Errorf(outcome.ErrUsage, "--until %q is in the past", o.Until)
	}
	until = until.UTC().Truncate(time.Second)
	o.until = &until
	return nil
}

// Read finds the contexts that are meant, and reads the certificate or token.
func (o *revokeOptions) Read() (err error) {
	if err := o.clusters.Read(o.Environment); err != nil {
		return err
	}
	o.entry, err = o.target.entry()
	o.entry.Details.Reason, o.entry.Details.Until = o.Reason, o.until
	return err
}

// Run changes the list, waits, and says what came of it.
func (o *revokeOptions) Run(ctx context.Context) error {
	if !o.clusters.IsGiven() {
		return o.run(ctx)
	}
	return options.OnEachBuffered(ctx, &o.clusters, o.Environment, func(ctx context.Context, env *cli.Environment) error {
		on := *o
		on.Environment = env
		return on.run(ctx)
	})
}

// run is Run for the cluster of the environment.
func (o *revokeOptions) run(ctx context.Context) error {
	o.Narrator.In(o.dryRun)
	work, err := o.Connect()
	if err != nil {
		return err
	}
	in := revoke.Input{Entry: o.entry, CertificateFile: o.target.Certificate, DryRun: o.dryRun, Patience: o.Timeout}
	if o.isUndo {
		result, err := revoke.Undo(ctx, work, in)
		if err != nil {
			return err
		}
		return revocations.Unrevoked(o.Streams.Out, o.entry.Blocked, result, o.dryRun.Note())
	}
	result, err := revoke.Run(ctx, work, in)
	if err != nil {
		return err
	}
	return revocations.Revoked(o.Streams.Out, o.entry.Blocked, result, o.dryRun.Note())
}
