package audit

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/records"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// ledgerOptions is what ledger takes.
type ledgerOptions struct {
	*cli.Environment

	// ForUser, Group and ApprovedBy narrow the list. Optional.
	ForUser, Group, ApprovedBy string
	// Expiring is a duration. Optional.
	Expiring string
	// Expired, Revoked and All choose states. Optional: certificates that log in.
	Expired, Revoked, All bool
	// WithoutRenewal takes certificates that nobody renews. Optional.
	WithoutRenewal bool
	// Output is the form of the list. Optional: a table.
	Output string
	// NoHeaders leaves out the table's first line. Optional.
	NoHeaders bool

	clusters options.Clusters
	query    ledger.Query
}

// New makes the command ledger.
func New(env *cli.Environment) *cobra.Command {
	o := &ledgerOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "List the client certificates that the cluster has issued",
		Long: `List the client certificates that the cluster has issued and that log in: users, groups, expiry, who
requested them and who approved them. A superseded certificate was renewed, and logs in until it
expires. With --expired, --revoked or --all, other certificates are listed.

The ledger is written by csr-onboard-controller run --controllers=ledger. "<unknown>" stands where
nothing has observed who approved a request; it is never guessed. See
` + ledger.Guide + `.

` + cli.ExitCodes,
		Example: `  # Which users have access now
  kubectl csr-onboard ledger

  # Every certificate of a user, whatever its state
  kubectl csr-onboard ledger --for-user jane --all

  # What expires within a week and was not renewed
  kubectl csr-onboard ledger --expiring 7d --without-renewal

  # For a spreadsheet
  kubectl csr-onboard ledger --all -o csv

  # Of several clusters, in one list
  kubectl csr-onboard ledger --contexts dev,prod`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.ForUser, "for-user", "", "only certificates of this user")
	flags.StringVar(&o.Group, "group", "", "only certificates of this group")
	flags.StringVar(&o.ApprovedBy, "approved-by", "", "only certificates whose request this user approved")
	flags.StringVar(&o.Expiring, "expiring", "", "only certificates that expire within this duration, such as 7d")
	flags.BoolVar(&o.Expired, "expired", false, "list certificates that have expired")
	flags.BoolVar(&o.Revoked, "revoked", false, "list certificates that are revoked")
	flags.BoolVar(&o.All, "all", false, "list certificates in every state")
	flags.BoolVar(&o.WithoutRenewal, "without-renewal", false, "only certificates that were due to be renewed, and were not")
	cli.OutputSection.In(flags, func(flags *pflag.FlagSet) {
		flags.StringVarP(&o.Output, "output", "o", "", "Output format. One of: ("+strings.Join(records.Formats(), ", ")+"). Default: a table.")
		flags.BoolVar(&o.NoHeaders, "no-headers", false, "do not print headers")
	})
	cli.RegisterCompletion(cmd, "output", records.Formats())
	_ = cmd.RegisterFlagCompletionFunc("for-user", cli.CompleteFromCluster(env, cli.KnownUsers))
	o.clusters.Add(cmd, env)
	cmd.AddCommand(newImport(env), newExport(env), newVerify(env), newSeen(env), newRelease(env))
	return cmd
}

// Complete reads what to list.
func (o *ledgerOptions) Complete([]string) error {
	o.query = ledger.Query{User: o.ForUser, Group: o.Group, ApprovedBy: o.ApprovedBy, All: o.All, WithoutRenewal: o.WithoutRenewal}
	if o.Expired {
		o.query.States = append(o.query.States, ledger.Expired)
	}
	if o.Revoked {
		o.query.States = append(o.query.States, ledger.Revoked)
	}
	if o.Expiring == "" {
		return nil
	}
	within, err := request.ParseSpan(o.Expiring)
	if err != nil {
		return outcome.Errorf(outcome.ErrUsage, "--expiring: %w", err)
	}
	if within <= 0 {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--expiring %q must be more than zero", o.Expiring), "for example: --expiring 7d")
	}
	o.query.Expiring = within
	return nil
}

// Connection implements cli.Steps.
func (o *ledgerOptions) Connection() cli.Connection { return cli.Connecting() }

// Validate refuses forms that do not exist, and flags that exclude each other.
func (o *ledgerOptions) Validate() error {
	if o.Output != "" && !slices.Contains(records.Formats(), o.Output) {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "-o %q is not a valid output format of the ledger", o.Output),
			"use one of %s, or leave it out for a table", strings.Join(records.Formats(), ", "))
	}
	if o.Output != "" && o.Output != records.Wide {
		if err := cli.RefuseGiven(o.FlagSet, "with -o "+o.Output+", which has no headers to leave out", "leave it out", "no-headers"); err != nil {
			return err
		}
	}
	if err := o.clusters.RefuseNames(o.Output); err != nil {
		return err
	}
	if err := o.clusters.Validate(); err != nil {
		return err
	}
	if o.All {
		if err := cli.RefuseGiven(o.FlagSet, "with --all, which lists every state", "leave one of them out", "expired", "revoked", "without-renewal"); err != nil {
			return err
		}
	}
	if len(o.query.States) > 0 {
		return cli.RefuseGiven(o.FlagSet, "with --expired and --revoked, which list certificates that do not log in", "leave one of them out", "expiring", "without-renewal")
	}
	return nil
}

// sortedAtMost is how many records are sorted by user. A longer list is written as it comes, so
// that memory does not grow with the ledger.
const sortedAtMost = 1000

// Read finds the contexts that are meant.
func (o *ledgerOptions) Read() error { return o.clusters.Read(o.Environment) }

// Run lists.
func (o *ledgerOptions) Run(ctx context.Context) error {
	newWriter := records.NewWriter
	if o.clusters.IsGiven() {
		newWriter = records.NewWriterOfClusters
	}
	list := &recordList{out: newWriter(o.Streams.Out, o.Output, o.NoHeaders, o.Now)}
	if !o.clusters.IsGiven() {
		if err := o.list(ctx, o.Environment, list); err != nil {
			return err
		}
		return o.end(list)
	}
	results := options.OnEach(ctx, &o.clusters, func(ctx context.Context, on *cli.Environment) (struct{}, error) {
		return struct{}{}, o.list(ctx, on, list)
	})
	if !clusters.AreFailed(results) {
		if err := o.end(list); err != nil {
			return err
		}
	}
	return clusters.FailureToRead(results, o.Narrator.Tell)
}

// list adds the records of the cluster of an environment.
func (o *ledgerOptions) list(ctx context.Context, on *cli.Environment, list *recordList) error {
	work, err := on.Connect()
	if err != nil {
		return err
	}
	return audit.EachPage(ctx, work, o.query, func(page []*ledger.ClientCertificate) error { return list.add(on.Cluster, page) })
}

// end writes what is left of a list, or says in words that there is nothing in it. A document, or a CSV file,
// says so itself.
func (o *ledgerOptions) end(list *recordList) error {
	isDocument := o.Output == records.JSON || o.Output == records.YAML || o.Output == records.CSV
	if list.count == 0 && !isDocument {
		o.Narrator.Tell(audit.NothingListed{})
	}
	return list.end()
}

// recordList is a list of records that is written: by user, or, if it is long, as it comes.
type recordList struct {
	out *records.Writer

	// mutex is for clusters that are asked at the same time.
	mutex sync.Mutex
	count int
	// first are the records that are not written yet.
	first []records.Record
}

// add takes a page of the records of a cluster.
func (l *recordList) add(cluster string, page []*ledger.ClientCertificate) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.count += len(page)
	for _, record := range page {
		l.first = append(l.first, records.Record{ClientCertificate: record, Cluster: cluster})
	}
	if l.count <= sortedAtMost {
		return nil
	}
	written := l.first
	l.first = nil
	return l.out.Write(written...)
}

// end writes what is left.
func (l *recordList) end() error {
	slices.SortStableFunc(l.first, byUser)
	if len(l.first) > 0 {
		if err := l.out.Write(l.first...); err != nil {
			return err
		}
	}
	return l.out.End()
}

// byUser compares by user, and then by expiry, the latest first, and by cluster.
func byUser(a, b records.Record) int {
	return cmp.Or(strings.Compare(a.Spec.User, b.Spec.User), b.Spec.NotAfter.Compare(a.Spec.NotAfter.Time), strings.Compare(a.Cluster, b.Cluster))
}
