package approve

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// listOptions is what list takes.
type listOptions struct {
	*cli.Environment

	// AllSigners lists requests for every signer. Optional.
	AllSigners bool
	// Pending lists only undecided requests. Optional.
	Pending bool
	// Selector narrows the list by labels. Optional.
	Selector string
	// Watch continues with what changes. Optional.
	Watch bool
	// Output is the list's form. Optional: a table.
	Output string
	// NoHeaders leaves out the table's first line. Optional.
	NoHeaders bool
	// SortBy is a JSONPath expression of a row's data. Optional.
	SortBy string

	clusters options.Clusters
	input    approval.ListInput
}

// NewList makes the command list.
func NewList(env *cli.Environment) *cobra.Command {
	o := &listOptions{Environment: env}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls", "get"},
		Short:   "List requests and what is inside them",
		Long: `List certificate signing requests with what is decoded from them: user, groups, key and
fingerprint, with the requester, the state, the requested lifetime or the expiry of the
certificate, and the number of findings. A request that cannot be decoded has a row that says
so.

The cluster garbage-collects a request an hour after it was issued or denied, and a pending one
after a day. Certificates whose requests are gone stay valid, and are not listed.

With --watch, the list is followed by what changes, until you interrupt it, which ends with exit
code 0. -o json and -o yaml print a RequestReviewList; with --watch they print one RequestReview
after the other. See
https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/guides/review.md.

` + cli.ExitCodes,
		Example: `  # List the requests for client certificates of the API server
  kubectl csr-onboard list

  # Watch the pending requests
  kubectl csr-onboard list --pending --watch

  # Show signer, usages and the names of the findings, for every signer
  kubectl csr-onboard list --all-signers -o wide

  # In a script
  kubectl csr-onboard list --pending -o json

  # The requests on several clusters
  kubectl csr-onboard list --contexts dev,prod`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.AllSigners, "all-signers", false, "list requests for every signer, not only for "+request.Signer)
	flags.BoolVar(&o.Pending, "pending", false, "list only pending requests")
	flags.StringVarP(&o.Selector, "selector", "l", "", "list only requests with these labels, such as team=blue; the requester chooses the labels")
	flags.BoolVarP(&o.Watch, "watch", "w", false, "after listing, watch for changes")
	options.AddFormatFlag(cmd, &o.Output, "a table", "name", render.Wide)
	options.AddRowFlags(cmd, &o.NoHeaders, &o.SortBy, "{.request.createdAt}")
	o.clusters.Add(cmd, env)
	return cmd
}

// Complete reads what to list.
func (o *listOptions) Complete([]string) error {
	o.input = approval.ListInput{Query: requests.Query{AllSigners: o.AllSigners, Labels: o.Selector}, Pending: o.Pending}
	return nil
}

// Validate refuses forms that there are not.
func (o *listOptions) Validate() error {
	if _, err := options.ParseSelector(o.Selector); err != nil {
		return err
	}
	if err := options.ValidateFormat(o.FlagSet, o.Output, "a list", "a table", "name", render.Wide); err != nil {
		return err
	}
	if o.Watch {
		if err := cli.RefuseGiven(o.FlagSet, "with --watch, which shows changes as they come", "leave one of them out", "sort-by"); err != nil {
			return err
		}
	}
	if err := o.clusters.RefuseNames(o.Output); err != nil {
		return err
	}
	if err := o.clusters.Validate(); err != nil {
		return err
	}
	return options.ValidateRowFlags(o.FlagSet, o.Output, o.SortBy)
}

// Read finds the contexts that are meant.
func (o *listOptions) Read() error { return o.clusters.Read(o.Environment) }

// Connection implements cli.Steps.
func (o *listOptions) Connection() cli.Connection { return cli.Connecting() }

// Run lists, and continues for as long as it is wanted.
func (o *listOptions) Run(ctx context.Context) error {
	if o.clusters.IsGiven() {
		return o.runOnClusters(ctx)
	}
	listed, err := o.list(ctx, o.Environment)
	if err != nil {
		return err
	}
	out := o.printer()
	if err := o.print(out, listed.reviews); err != nil || !o.Watch {
		return err
	}
	return o.follow(ctx, listed, out.change)
}

// requestList is what was listed on one cluster.
type requestList struct {
	program *onboard.Program
	reviews []*request.Review
	// resourceVersion is where changes begin.
	resourceVersion string
}

// list lists the requests of the cluster of an environment.
func (o *listOptions) list(ctx context.Context, on *cli.Environment) (*requestList, error) {
	program, err := on.Connect()
	if err != nil {
		return nil, err
	}
	reviews, resourceVersion, err := approval.List(ctx, program, o.input)
	if err != nil {
		return nil, err
	}
	for _, review := range reviews {
		review.Cluster = on.Cluster
	}
	return &requestList{program, reviews, resourceVersion}, nil
}

// print writes a list, or says in words that there is nothing in it.
func (o *listOptions) print(out listPrinter, reviews []*request.Review) error {
	if err := report.SortReviews(reviews, o.SortBy); err != nil {
		return err
	}
	switch {
	case len(reviews) > 0 || !o.isInRows():
		return out.list(reviews, o.Watch)
	case o.Pending:
		o.Narrator.Tell(approval.NothingPending{})
	default:
		o.Narrator.Tell(approval.NothingListed{})
	}
	return nil
}

// follow hands over what changes, until a person ends it.
func (o *listOptions) follow(ctx context.Context, from *requestList, change func(review *request.Review, deleted bool) error) error {
	err := approval.Follow(ctx, from.program, o.input, from.reviews, from.resourceVersion, change)
	if errors.Is(err, outcome.ErrInterrupted) {
		return nil
	}
	return err
}

// runOnClusters is Run for several clusters, whose requests are one list.
func (o *listOptions) runOnClusters(ctx context.Context) error {
	results := options.OnEach(ctx, &o.clusters, o.list)
	var all []*request.Review
	for _, result := range results {
		if result.Err == nil {
			all = append(all, result.Value.reviews...)
		}
	}
	out := o.printer()
	if !clusters.AreFailed(results) {
		if err := o.print(out, all); err != nil {
			return err
		}
	}
	err := clusters.FailureToRead(results, o.Narrator.Tell)
	if !o.Watch || clusters.AreFailed(results) {
		return err
	}
	return cmp.Or(o.followAll(ctx, results, out), err)
}

// followAll follows those clusters that were listed, until one of them cannot be followed.
func (o *listOptions) followAll(ctx context.Context, results []clusters.Result[*requestList], out listPrinter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var writing sync.Mutex
	followed := slices.DeleteFunc(slices.Clone(results), func(result clusters.Result[*requestList]) bool { return result.Err != nil })
	return clusters.FailureToRead(clusters.Run(followed, func(one clusters.Result[*requestList]) string { return one.Cluster }, func(one clusters.Result[*requestList]) (any, error) {
		err := o.follow(ctx, one.Value, func(review *request.Review, deleted bool) error {
			writing.Lock()
			defer writing.Unlock()
			review.Cluster = one.Cluster
			return out.change(review, deleted)
		})
		if err != nil {
			cancel()
		}
		return nil, err
	}), o.Narrator.Tell)
}

// listPrinter writes a list and what changes of it, in one form.
type listPrinter struct {
	list   func(reviews []*request.Review, goesOn bool) error
	change func(review *request.Review, deleted bool) error
}

// isInRows reports whether each request is a line, and an empty list says so in words.
func (o *listOptions) isInRows() bool {
	return o.Output == "" || o.Output == "name" || o.Output == render.Wide
}

func (o *listOptions) printer() listPrinter {
	out := o.Streams.Out
	switch {
	case o.Output == "name":
		printName := func(review *request.Review, deleted bool) error {
			if deleted {
				return nil
			}
			return options.PrintNames(out, review.Object.Name)
		}
		return listPrinter{each(printName), printName}
	case !o.isInRows():
		one := func(review *request.Review, deleted bool) error {
			return report.ReviewDocument(out, o.Output, review, deleted)
		}
		return listPrinter{func(reviews []*request.Review, goesOn bool) error {
			if goesOn {
				return each(one)(reviews, goesOn)
			}
			return report.Reviews(out, o.Output, reviews)
		}, one}
	}
	newTable := render.NewTable
	if o.clusters.IsGiven() {
		newTable = render.NewTableOfClusters
	}
	table := newTable(out, o.Output == render.Wide, o.NoHeaders, o.Now)
	return listPrinter{
		func(reviews []*request.Review, _ bool) error { return table.Write(reviews...) },
		func(review *request.Review, deleted bool) error {
			if deleted {
				return table.WriteDeleted(review)
			}
			return table.Write(review)
		},
	}
}

// each writes a list one by one.
func each(one func(*request.Review, bool) error) func([]*request.Review, bool) error {
	return func(reviews []*request.Review, _ bool) error {
		for _, review := range reviews {
			if err := one(review, false); err != nil {
				return err
			}
		}
		return nil
	}
}
