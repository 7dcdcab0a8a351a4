package approve

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// decideOptions is what approve and deny take.
type decideOptions struct {
	*cli.Environment

	// Decision is the command's own. Required.
	Decision request.Decision
	// Yes decides without asking. Optional.
	Yes bool
	// Fingerprint is the key's, as the user told it. Optional.
	Fingerprint options.Fingerprint
	// Allow names findings to accept. Optional; approve only.
	Allow []string
	// RequireOtherApprover refuses what the client submitted. Optional; approve only.
	RequireOtherApprover bool
	// Message goes into the decision. Optional.
	Message string
	// Files are requests to submit before they are approved. Optional; approve
	// only.
	Files []string
	// Expiration is how long the certificate of a request in a file should be valid. The
	// default is for PKCS#10 requests only. Required; has a default.
	Expiration string
	// All takes every pending request. Optional.
	All bool
	// Selector narrows the pending requests by their labels. Optional.
	Selector string
	// DryRun says how much is done. Required; has a default.
	DryRun options.DryRun
	// Output is the form of what goes to standard output. Optional.
	Output options.Output

	// handoff and grants are for what comes after an approval; approve only.
	handoff options.Handoff
	grants  options.Grants
	// clusters are the clusters to decide on, if there are several; approve only.
	clusters options.Clusters

	selection approval.Selection
	dryRun    onboard.DryRun
	person    *prompt.Person
	// unread says of each directory of Files what in it was not read.
	unread []string
}

// command is what approve and deny have in common.
func (o *decideOptions) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:               o.Decision.Verb + " [NAME...]",
		RunE:              o.InSteps(o),
		ValidArgsFunction: cli.CompleteFromCluster(o.Environment, cli.PendingUsers),
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.Yes, "yes", "y", false, o.Decision.Verb+" what is shown without asking")
	o.Fingerprint.Add(flags, o.Decision.Verb)
	flags.StringVar(&o.Message, "message", "", "a message to write into the decision")
	flags.BoolVar(&o.All, "all", false, o.Decision.Verb+" every pending request")
	flags.StringVarP(&o.Selector, "selector", "l", "", o.Decision.Verb+" the pending requests with these labels, such as team=blue; the requester chooses the labels")
	o.DryRun.Add(cmd, "none, client (only print the review, as text, or with -o json or yaml) or server (the cluster checks the decision)")
	o.Output.Add(cmd)
	return cmd
}

// Complete finds out who there is to ask and which requests are meant.
func (o *decideOptions) Complete(arguments []string) error {
	o.person = prompt.AtTerminal(o.Streams.In, o.Streams.ErrOut)
	var err error
	if o.dryRun, err = o.DryRun.Parse(); err != nil {
		return err
	}
	if o.selection.Names, err = options.ParseNames(arguments, o.forFile()); err != nil {
		return err
	}
	if o.selection.Fingerprint, err = o.Fingerprint.Parse(); err != nil {
		return err
	}
	if o.Selector != "" {
		if o.selection.Labels, err = options.ParseSelector(o.Selector); err != nil {
			return err
		}
	}
	return nil
}

// Validate refuses names that no request can have, findings that there are not,
// and flags that contradict each other.
func (o *decideOptions) Validate() error {
	if err := validateClusters(o); err != nil {
		return err
	}
	if err := o.validateSelection(); err != nil {
		return err
	}
	if o.approves() {
		if err := o.validateHandoff(); err != nil {
			return err
		}
	}
	if err := o.validateOutput(); err != nil {
		return err
	}
	return request.CheckAllowable(o.Allow)
}

// Read finds the contexts that are meant, reads the requests in files, and refuses what is for one request if there are several.
func (o *decideOptions) Read() error {
	if err := o.clusters.Read(o.Environment); err != nil {
		return err
	}
	if err := o.readFiles(); err != nil {
		return err
	}
	n := len(o.selection.Names) + len(o.selection.Files)
	if o.selection.Fingerprint != "" && n != 1 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--fingerprint is for one NAME or file, and there are %d", n),
			"%s them one at a time", o.Decision.Verb)
	}
	if o.approves() {
		return o.handoff.CheckPlace(n != 1)
	}
	return nil
}

func (o *decideOptions) validateOutput() error {
	if o.dryRun != onboard.DryRunClient {
		return o.Output.Validate(o.FlagSet)
	}
	if err := cli.RefuseGiven(o.FlagSet, "with --dry-run=client, which decides nothing", "leave it out", "message"); err != nil {
		return err
	}
	if err := cli.RefusePrintFlags(o.FlagSet, "a review"); err != nil {
		return err
	}
	return options.ValidateFormat(o.FlagSet, o.Output.Format(), "a review", "text")
}

func (o *decideOptions) validateSelection() error {
	ways := cli.GivenOf(o.FlagSet, "filename", "all", "selector")
	if len(o.selection.Names) > 0 {
		ways = slices.Insert(ways, 0, "a NAME")
	}
	switch {
	case len(ways) > 1:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%s exclude each other", cli.Enumerated(ways)),
			"say in one way which requests are meant")
	case o.FlagSet.Changed("all") && !o.All:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--all=false does nothing"), "leave it out")
	case o.FlagSet.Changed("selector") && o.Selector == "":
		// An unset variable in a script must not mean everything.
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the --selector is empty"),
			"for every pending request: --all")
	case len(ways) == 1:
		return nil
	case o.person == nil:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "no NAME is given, and no terminal is available to choose a request"),
			"name a user or a request, or use --all or --selector; see: %s list --pending", cli.Program)
	case o.Yes:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--yes does not say which requests are meant"),
			"name a user or a request, or use --all or --selector")
	}
	return nil
}

// Connection implements cli.Steps.
func (o *decideOptions) Connection() cli.Connection {
	if o.approves() {
		return o.grants.Connection()
	}
	return cli.Connecting()
}

// forFile is the command that takes a request as a file. What only exists as a file cannot
// be denied, but looked at.
func (o *decideOptions) forFile() *cli.FileCommand {
	if o.approves() {
		return &cli.FileCommand{Words: "approve", Option: "-f"}
	}
	return &cli.FileCommand{Words: "show", Option: "-f"}
}

// approves reports whether this is approve, which has flags that deny has not.
func (o *decideOptions) approves() bool { return o.Decision.Is(request.Approved) }

func (o *decideOptions) validateHandoff() error {
	if o.FlagSet.Changed("expiration") && len(o.Files) == 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--expiration does nothing without --filename"),
			"a request on the cluster says itself how long it asks for")
	}
	if o.RequireOtherApprover && len(o.Files) > 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--require-other-approver and --filename exclude each other: you would submit the request in the file yourself"),
			"submit it, and have somebody else approve it: kubectl create -f FILE")
	}
	if err := o.grants.Validate(); err != nil {
		return err
	}
	if given := o.handoff.Given(); given != "" && o.dryRun != onboard.DryRunNone {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--%s and --dry-run exclude each other", given),
			"a certificate cannot be issued in a dry run")
	}
	if o.handoff.Out == "-" && o.Output.Format() != "" {
		return options.BothWantStandardOutput(o.Output.Format())
	}
	return o.handoff.Validate(len(o.Files) > 0)
}

// Run shows, asks and decides.
func (o *decideOptions) Run(ctx context.Context) error {
	if o.clusters.IsGiven() {
		return runOnClusters(ctx, o)
	}
	o.Narrator.In(o.dryRun)
	for _, text := range o.unread {
		o.Narrator.Warn(text)
	}
	program, err := o.Connect()
	if err != nil {
		return err
	}
	file := o.handoff.Input(o.Environment)
	in := o.input(ctx)
	if o.approves() {
		in.Check = func(review *request.Review) error { return handoff.Check(ctx, program, review.User, file) }
	}
	decided, err := approval.Run(ctx, program, in)
	err = options.HintAtFile(err, o.selection.Names, o.forFile())
	isNothing := err != nil && len(decided) == 0 && !o.meansSeveral()
	if decided != nil && !isNothing && file.Path != "-" {
		if err := o.print(decided); err != nil {
			return err
		}
	}
	if len(decided) > 0 && o.dryRun == onboard.DryRunClient {
		o.Narrator.Tell(approval.NothingDecided{Decision: o.Decision})
	}
	if o.dryRun == onboard.DryRunNone && o.approves() && o.handoff.Waits(len(o.Files) > 0) {
		handoffErr := o.handOff(ctx, program, decided, file)
		if err == nil {
			err = handoffErr
		}
	}
	return err
}

// input is what is decided, and how. The administrator is asked with ctx.
func (o *decideOptions) input(ctx context.Context) approval.Input {
	in := approval.Input{
		Decision:  o.Decision,
		Selection: o.selection,
		Allow:     o.Allow,

		RequireOtherApprover: o.RequireOtherApprover,

		Message: o.Message,
		DryRun:  o.dryRun,
		Unasked: o.Yes || o.dryRun != onboard.DryRunNone,
		Confirm: o.confirmation().Ask,
	}
	if len(o.selection.Names) == 0 && len(o.Files) == 0 && !o.All && o.selection.Labels == nil {
		in.Choose = func(pending []*request.Review) ([]*request.Review, error) { return o.choose(ctx, pending) }
	}
	if o.approves() {
		in.Grants = o.grants.Input()
	}
	return in
}

// confirmation asks the administrator about a request.
func (o *decideOptions) confirmation() options.Confirmation {
	return options.Confirmation{Person: o.person, Yes: o.Yes, Verb: o.Decision.Verb, Done: o.Decision.Done}
}

// handOff waits for the certificates of what was approved, and writes the handoffs.
func (o *decideOptions) handOff(ctx context.Context, program *onboard.Program, decided []approval.Decided, file handoff.Input) error {
	handed, err := handoff.Each(ctx, program, approval.ObjectsOf(decided), file)
	for _, one := range handed {
		if _, err := o.Streams.Out.Write(one.Handoff); err != nil {
			return err
		}
	}
	return err
}

// print writes what was decided, or, in a client's dry run, what was shown.
func (o *decideOptions) print(decided []approval.Decided) error {
	if o.dryRun == onboard.DryRunClient {
		return o.printDryRun(decided)
	}
	objects := make([]*request.Request, len(decided))
	for i, one := range decided {
		objects[i] = one.Object
	}
	return o.Output.Print(o.Streams, o.Decision.Done+o.dryRun.Note(), o.meansSeveral(), objects...)
}

// meansSeveral reports whether several requests can be meant, by what was typed alone: a
// script gets a list then, however many there are.
func (o *decideOptions) meansSeveral() bool {
	if len(o.Files) == 1 && (o.Files[0] == "-" || !store.IsDirectory(o.Files[0])) {
		return len(o.selection.Files) != 1
	}
	return len(o.selection.Names) != 1
}

// printDryRun writes what was shown, and behind it the bindings that would be made.
func (o *decideOptions) printDryRun(decided []approval.Decided) error {
	format := o.Output.Format()
	reviews := make([]*request.Review, len(decided))
	for i, one := range decided {
		reviews[i] = one.Review
	}
	if err := printReviews(o.Streams.Out, format, o.meansSeveral(), reviews, o.Now()); err != nil || !o.approves() {
		return err
	}
	var wanted []access.Wanted
	for _, one := range decided {
		ofUser, err := o.grants.Input().WantedFor(one.Review.User)
		if err != nil {
			return err
		}
		wanted = append(wanted, ofUser...)
	}
	if len(wanted) == 0 {
		return nil
	}
	if format == "yaml" {
		// The printer puts a mark between its own documents only.
		if err := o.PrintLine("---"); err != nil {
			return err
		}
	}
	output := options.NewBindingOutput("to be applied" + o.dryRun.Note())
	output.OutputFormat = &format
	return options.PrintBindings(o.Streams, output, o.meansSeveral() || o.grants.MeansSeveral(), wanted)
}

// choose has the administrator mark some of the pending requests.
func (o *decideOptions) choose(ctx context.Context, pending []*request.Review) ([]*request.Review, error) {
	choices := make([]string, len(pending))
	for i, review := range pending {
		choices[i] = render.Choice(review, o.Now(), screen.Columns(o.Streams.ErrOut)-prompt.OptionIndent)
	}
	marked, err := o.person.Select(ctx, fmt.Sprintf("Which requests do you want to look at, to %s them?", o.Decision.Verb), choices)
	if err != nil {
		return nil, err
	}
	if len(marked) == 0 {
		return nil, fmt.Errorf("nothing was %s: you chose no request", o.Decision.Done)
	}
	chosen := make([]*request.Review, len(marked))
	for i, index := range marked {
		chosen[i] = pending[index]
	}
	return chosen, nil
}

// printReviews writes what an administrator would decide about, as a list where several can
// be meant, however many there are.
func printReviews(out io.Writer, format string, several bool, reviews []*request.Review, now time.Time) error {
	switch {
	case format == "":
		for _, review := range reviews {
			if err := render.Review(out, review, now); err != nil {
				return err
			}
		}
		return nil
	case !several && len(reviews) == 1:
		return report.OneReview(out, format, reviews[0])
	}
	return report.Reviews(out, format, reviews)
}
