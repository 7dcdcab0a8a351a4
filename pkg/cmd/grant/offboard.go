package grant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/revocations"
)

// offboardOptions is what offboard takes.
type offboardOptions struct {
	*cli.Environment

	// Block and Unblock are about the user's writes. Optional; not both.
	Block, Unblock bool
	// Revoke is about everything that the user does. Optional; not with Unblock.
	Revoke bool
	// Certificate is a file with one of the user's certificates. Optional.
	Certificate string
	// Yes does it without asking. Optional.
	Yes bool
	// DryRun says how much is done. Required; has a default.
	DryRun options.DryRun
	// Output is the form of the report. Optional: text.
	Output string

	clusters options.Clusters
	input    offboard.Input
	person   *prompt.Person
	// revokeErr is why it is unknown whether the user is revoked, after it was tried.
	revokeErr error
}

// NewOffboard makes the command offboard.
func NewOffboard(env *cli.Environment) *cobra.Command {
	o := &offboardOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "offboard NAME",
		Short: "Remove a user's access, and report what remains",
		Long: `Deny a user's pending requests, delete the role bindings that csr-onboard created for the user,
remove the user from all other role bindings, and report what remains: role bindings of the user
name, what the groups of the user's certificates give, which certificates are valid and until when,
and who can impersonate the user. Kubernetes itself cannot revoke a certificate.

The cluster records that the user was offboarded, so approve, grant and new-user refuse the user.
--unblock removes the record.

With --block, the API server refuses every write of the user from then on, by a
ValidatingAdmissionPolicy (Kubernetes 1.30 and later), also with unknown certificates. --unblock
undoes it. "blocked" is reported after a write as the user was seen refused, by impersonation and as
a dry run; otherwise "not proven", with exit code 1. Reads are not refused, except where enforcers run
(csr-onboard-controller enforce).

With --revoke, every API server also refuses everything that the user does, reads included, as with
kubectl csr-onboard revoke NAME. That requires an enforcer on each control-plane node. Where the
cluster cannot revoke, nothing is changed.

With --block and --certificate, only the writes with this certificate are refused (Kubernetes 1.32
and later), and reads where enforcers run. Roles are not removed. If a laptop was stolen, use --block
without --certificate.

If nothing on the cluster names the user, the user is not found; --block blocks the name all the
same.

` + cli.ExitCodes,
		Example: `  # Show what would be removed, and what would remain
  kubectl csr-onboard offboard jane --dry-run=client

  # Jane leaves, or Jane's laptop was stolen
  kubectl csr-onboard offboard jane --block

  # Refuse only the writes with one certificate
  kubectl csr-onboard offboard jane --block --certificate jane.kubeconfig

  # Unblock that certificate
  kubectl csr-onboard offboard jane --unblock --certificate jane.kubeconfig

  # On several clusters
  kubectl csr-onboard offboard jane --block --contexts dev,prod`,
		Args:              cli.OneName,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cli.CompleteOneFromCluster(env, cli.KnownUsers),
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Block, "block", false, "make the API server refuse every write of the user")
	flags.BoolVar(&o.Revoke, "revoke", false, "make every API server refuse the user, reads included")
	flags.BoolVar(&o.Unblock, "unblock", false, "undo --block, remove the record that the user was offboarded, and do nothing else")
	flags.StringVar(&o.Certificate, "certificate", "", "a certificate of the user (a PEM file or a kubeconfig): include it in the report; with --block or --unblock, block or unblock only this certificate")
	flags.BoolVarP(&o.Yes, "yes", "y", false, "do what is shown without asking")
	o.DryRun.Add(cmd, "none, client (only show what would be removed) or server (the cluster checks it)")
	options.AddFormatFlag(cmd, &o.Output, "text")
	_ = cmd.MarkFlagFilename("certificate", "crt", "pem", "kubeconfig", "yaml")
	o.clusters.Add(cmd, env)
	return cmd
}

// Complete reads who is meant.
func (o *offboardOptions) Complete(arguments []string) error {
	if err := cli.RefuseFileName(arguments[0], &cli.FileCommand{Words: "offboard NAME", Option: "--certificate"}); err != nil {
		return err
	}
	user, err := identity.Parse(arguments[0], nil)
	if err != nil {
		return err
	}
	dryRun, err := o.DryRun.Parse()
	if err != nil {
		return err
	}
	o.person = prompt.AtTerminal(o.Streams.In, o.Streams.ErrOut)
	o.input = offboard.Input{User: user.Name, Block: o.Block, Unblock: o.Unblock, DryRun: dryRun, Revoke: o.Revoke, Confirm: func(ctx context.Context, _ *offboard.Plan) error { return o.confirm(ctx, "") }}
	return nil
}

// Connection implements cli.Steps.
func (o *offboardOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate refuses flags that contradict each other.
func (o *offboardOptions) Validate() error {
	if err := o.clusters.Validate(); err != nil {
		return err
	}
	if o.Block && o.Unblock {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--block and --unblock exclude each other"), "use one of them")
	}
	if o.Revoke && o.Unblock {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--revoke and --unblock exclude each other"), "use one of them")
	}
	if o.Revoke && o.Certificate != "" {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--revoke is for a user with every certificate, and --certificate names one"),
			"to revoke one certificate: kubectl csr-onboard revoke --certificate FILE")
	}
	if o.Unblock {
		return cli.RefuseGiven(o.FlagSet, "with --unblock, which reports one line", "leave it out", "output")
	}
	return options.ValidateFormat(o.FlagSet, o.Output, "this command's report", "text")
}

// Read finds the contexts that are meant, and reads the certificate of --certificate.
func (o *offboardOptions) Read() error {
	if err := o.clusters.Read(o.Environment); err != nil {
		return err
	}
	if o.Certificate == "" {
		return nil
	}
	o.input.Source = o.Certificate
	var err error
	o.input.Certificate, err = options.ReadCertificate(o.Certificate)
	return err
}

// Run shows, asks, takes away, and says what remains.
func (o *offboardOptions) Run(ctx context.Context) error {
	if o.clusters.IsGiven() {
		return o.runOnClusters(ctx)
	}
	plan, err := o.run(ctx, o.input.Confirm)
	if plan == nil {
		return err
	}
	return cmp.Or(o.print(plan), err)
}

// runOnClusters is Run for several clusters. Everything that would be removed is shown before the
// person is asked, once.
func (o *offboardOptions) runOnClusters(ctx context.Context) error {
	asking := clusters.NewMeeting(len(o.clusters.Each), func(ctx context.Context, questions []string) []error {
		answerErr := o.confirm(ctx, " on "+strings.Join(questions, ", "))
		return slices.Repeat([]error{answerErr}, len(questions))
	})
	plans := make([]*offboard.Plan, len(o.clusters.Each))
	runErr := options.OnEachBuffered(ctx, &o.clusters, o.Environment, func(ctx context.Context, env *cli.Environment) error {
		defer asking.Leave(ctx)
		on := *o
		on.Environment = env
		place := o.clusters.PlaceOf(env)
		plan, err := on.run(ctx, func(ctx context.Context, _ *offboard.Plan) error {
			return asking.Ask(ctx, place, identity.Name(env.Cluster))
		})
		plans[place] = plan
		if plan == nil || o.Output != "" {
			return err
		}
		return cmp.Or(on.print(plan), err)
	})
	if o.Output == "" {
		return runErr
	}
	var all []report.OnCluster[*offboard.Plan]
	for place, plan := range plans {
		if plan != nil {
			all = append(all, report.OnCluster[*offboard.Plan]{Cluster: o.clusters.Each[place].Cluster, Value: plan})
		}
	}
	if len(all) == 0 {
		return runErr
	}
	return cmp.Or(report.Offboardings(o.Streams.Out, o.Output, all), runErr)
}

// run is Run up to what remains, for the cluster of the environment. The plan is nil where there is
// nothing to report.
func (o *offboardOptions) run(ctx context.Context, confirm func(context.Context, *offboard.Plan) error) (*offboard.Plan, error) {
	o.Narrator.In(o.input.DryRun)
	work, err := o.Connect()
	if err != nil {
		return nil, err
	}
	if o.Unblock {
		was, err := offboard.Unblock(ctx, work, o.input)
		if err != nil {
			return nil, err
		}
		said := "unblocked"
		switch {
		case was.WasBlocked:
		case was.WasOffboarded:
			said = "not blocked; no longer recorded as offboarded"
		default:
			said = "not blocked"
		}
		who := identity.Printable(o.input.User)
		if o.input.Certificate != nil {
			who = fmt.Sprintf("%s of %s", access.Blocked{CredentialID: access.CredentialID(o.input.Certificate.SHA256())}, who)
		}
		return nil, o.PrintLine("%s %s%s", who, said, o.input.DryRun.Note())
	}
	if o.Revoke {
		// What cannot be revoked is found before anything is changed.
		check := o.input.DryRun
		if check == onboard.DryRunNone {
			check = onboard.DryRunClient
		}
		if err := o.revoke(ctx, work, check, nil); err != nil {
			return nil, err
		}
	}
	o.input.Confirm = func(ctx context.Context, plan *offboard.Plan) error {
		if err := confirm(ctx, plan); err != nil || !o.Revoke {
			return err
		}
		// It comes first: what the user does meanwhile is refused. Roles are removed all the same.
		o.revokeErr = o.revoke(ctx, work, onboard.DryRunNone, plan)
		if errors.Is(o.revokeErr, outcome.ErrInterrupted) {
			return o.revokeErr
		}
		return nil
	}
	plan, offboardErr := offboard.Run(ctx, work, o.input)
	return plan, cmp.Or(o.revokeErr, offboardErr)
}

// print writes what was removed, and what remains.
func (o *offboardOptions) print(plan *offboard.Plan) error {
	if o.Output != "" {
		return report.Offboarding(o.Streams.Out, o.Output, plan)
	}
	if o.input.DryRun == onboard.DryRunClient {
		if err := render.OffboardingPlan(o.Streams.Out, plan); err != nil {
			return err
		}
	}
	return render.OffboardingTruth(o.Streams.Out, plan, cli.ClusterFlagsOf(o.Environment))
}

// revoke has every API server refuse the user, which the plan reports. The plan is nil in a dry run.
func (o *offboardOptions) revoke(ctx context.Context, work *onboard.Program, dryRun onboard.DryRun, plan *offboard.Plan) error {
	user := o.input.User
	entry := access.Entry{Blocked: access.Blocked{User: user}, Details: access.Details{User: user}}
	result, err := revoke.Run(ctx, work, revoke.Input{Entry: entry, DefaultReason: "offboarded", DryRun: dryRun, Patience: revoke.DefaultPatience, AreHoldingsTold: dryRun == onboard.DryRunNone})
	if plan != nil && result != nil {
		plan.RefusedBy, plan.APIServers = result.RefusedBy(), len(result.Servers)
	}
	if err != nil || dryRun != o.input.DryRun {
		return err
	}
	out := o.Streams.Out
	if o.Output != "" {
		// Standard output has the plan.
		out = o.Streams.ErrOut
	}
	return revocations.Revoked(out, entry.Blocked, result, dryRun.Note())
}

// confirm asks whether to do what was shown. on says on which of several clusters; "" for one.
func (o *offboardOptions) confirm(ctx context.Context, on string) error {
	if o.Yes {
		return nil
	}
	if o.person == nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "no terminal is available to confirm that %q is to be offboarded", o.input.User),
			"to do what was shown without a question: --yes")
	}
	yes, err := o.person.Confirm(ctx, fmt.Sprintf("Remove this from %s%s?", identity.Printable(o.input.User), on))
	if err == nil && !yes {
		err = fmt.Errorf("nothing was removed from the user %q: you said no", o.input.User)
	}
	return err
}
