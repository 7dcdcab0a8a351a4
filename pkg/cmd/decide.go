package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// decideOptions is what approve and deny take.
type decideOptions struct {
	*environment

	// Decision is the command's own. Required.
	Decision request.Decision
	// Yes decides without asking. Optional.
	Yes bool
	// Fingerprint is the key's, as the user told it. Optional.
	Fingerprint fingerprintFlag
	// Allow names findings to accept. Optional; approve only.
	Allow []string
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
	DryRun dryRunFlag
	// Output is the form of what goes to standard output. Optional.
	Output objectOutput

	// handoff and grants are for what comes after an approval; approve only.
	handoff handoffFlags
	grants  grantFlags

	set       *pflag.FlagSet
	selection approval.Selection
	dryRun    onboard.DryRun
	person    *prompt.Person
	// unread says of each directory of Files what in it was not read.
	unread []string
}

func newApprove(env *environment) *cobra.Command {
	o := &decideOptions{environment: env, Decision: request.Approval(), Output: newObjectOutput()}
	cmd := o.command()
	cmd.Short = "Look at a request and approve exactly what was shown"
	cmd.Long = `Show what is in a certificate signing request, ask, and approve it. NAME is a
user's name or a request's. What is shown is decoded from the request itself:
user, groups, key and fingerprint, who submitted it, and what is wrong with it.

Only the very object that was shown is approved. If it was changed, replaced or
decided by somebody else meanwhile, nothing is done.

With no NAME, the pending requests are listed to choose from. --all and
--selector take all of them, each for itself: what is refused about one is told,
and the others go on. Requests of a user who has several pending are left alone.

With --yes nobody looks, and a request for a user who is known already (by a role binding
or another request) is approved only if that user submitted it, you did, or somebody did
who could approve it as well. It is left alone otherwise, and the exit code is 2. Approve
it at a terminal, or with the --fingerprint that the user told you.

--filename takes requests that users sent as files: PKCS#10 in PEM or DER, whoever
made them, or CertificateSigningRequest manifests. They are shown, submitted,
approved and waited for, and --out writes a kubeconfig without a private key, to
send back. Run again after a failure, it goes on where it was. A manifest that says
nothing about its lifetime gets that of --expiration, if it is given. Of a directory,
the files are read that are named as requests; every other entry is reported and,
since it may be a private key, not opened.

--clusterrole and --role give the user a role as well, in the namespace of -n or
everywhere. That you may do that is found before anything is approved.

What would refuse a request (a name or group of Kubernetes' own, a weak key, …)
and what is only worth a warning is explained in docs/guides/review.md.

` + exitCodes
	cmd.Example = `  # Look at jane's request and decide
  kubectl csr-onboard approve jane

  # Choose from the pending requests
  kubectl csr-onboard approve

  # Only look, for a person or for a script
  kubectl csr-onboard approve jane --dry-run=client
  kubectl csr-onboard approve jane --dry-run=client -o json

  # Approve only the key whose fingerprint jane has told you
  kubectl csr-onboard approve jane --fingerprint SHA256:…

  # Without a question, in a script
  kubectl csr-onboard approve jane --yes

  # Everything that is pending, one question each
  kubectl csr-onboard approve --all

  # Let her look at what is in one namespace as well
  kubectl csr-onboard approve jane --yes --clusterrole view -n default

  # A request that jane sent as a file, and the file to send back to her
  kubectl csr-onboard approve -f jane.csr --out jane.handoff.yaml`
	addAllowFlag(cmd, &o.Allow)
	cmd.Flags().StringArrayVarP(&o.Files, "filename", "f", nil, "approve the request in this file (PEM, DER or a manifest), in each file of this directory that is named as one ("+strings.Join(store.RequestNames(), ", ")+"), or on standard input (-); repeat it for several")
	cmd.Flags().StringVar(&o.Expiration, "expiration", duration.HumanDuration(request.DefaultLifetime), "with --filename, how long the certificate should be valid, such as 8h or 30d; the default is for PKCS#10 requests only, and a manifest that asks for another lifetime is refused")
	_ = cmd.MarkFlagFilename("filename", "csr", "req", "p10", "yaml", "yml", "json")
	o.handoff.add(cmd.Flags())
	o.grants.add(cmd, env)
	return cmd
}

func addAllowFlag(cmd *cobra.Command, allow *[]string) {
	cmd.Flags().StringArrayVar(allow, "allow", nil, "accept a finding that would refuse the request, by its name; repeat it for several")
	registerCompletion(cmd, "allow", request.Allowable())
}

func newDeny(env *environment) *cobra.Command {
	o := &decideOptions{environment: env, Decision: request.Denial(), Output: newObjectOutput()}
	cmd := o.command()
	cmd.Short = "Deny a request, with a reason that its user will see"
	cmd.Long = `Show what is in a certificate signing request, ask, and deny it. NAME is a user's
name or a request's. Whoever waits for the certificate is told the message. A
denial can't be taken back; the user asks again with a new request once this one
is deleted or collected.

Only the very object that was shown is denied. If it was changed, replaced or
decided by somebody else meanwhile, nothing is done.

` + exitCodes
	cmd.Example = `  # Tell jane why not
  kubectl csr-onboard deny jane --message "ask your team lead first"

  # Without a question, in a script
  kubectl csr-onboard deny jane --yes`
	return cmd
}

// command is what approve and deny have in common.
func (o *decideOptions) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:               o.Decision.Verb + " [NAME...]",
		RunE:              o.inSteps(o),
		ValidArgsFunction: o.completeFromCluster(pendingUsers),
	}
	flags := cmd.Flags()
	o.set = flags
	flags.BoolVarP(&o.Yes, "yes", "y", false, o.Decision.Verb+" what is shown without asking")
	o.Fingerprint.add(flags, o.Decision.Verb)
	flags.StringVar(&o.Message, "message", "", "what to write into the decision")
	flags.BoolVar(&o.All, "all", false, o.Decision.Verb+" every pending request")
	flags.StringVarP(&o.Selector, "selector", "l", "", o.Decision.Verb+" the pending requests with these labels, such as team=blue; labels are their requesters' word")
	o.DryRun.add(cmd, "none, client (only look: the review is the output, as text, or with -o json or yaml) or server (have the cluster check the decision)")
	o.Output.add(cmd)
	return cmd
}

// Complete finds out who there is to ask and which requests are meant.
func (o *decideOptions) Complete(arguments []string) error {
	o.person = prompt.AtTerminal(o.streams.In, o.streams.ErrOut)
	var err error
	if o.dryRun, err = o.DryRun.parse(); err != nil {
		return err
	}
	o.selection = approval.Selection{Names: arguments}
	if o.selection.Fingerprint, err = o.Fingerprint.parse(); err != nil {
		return err
	}
	if o.Selector != "" {
		if o.selection.Labels, err = parseSelector(o.Selector); err != nil {
			return err
		}
	}
	return nil
}

// Validate refuses names that no request can have, findings that there are not,
// and flags that contradict each other.
func (o *decideOptions) Validate() error {
	if err := o.validateSelection(); err != nil {
		return err
	}
	// How many requests there are is known only when the files are read.
	if err := o.readFiles(); err != nil {
		return err
	}
	if n := len(o.selection.Names) + len(o.selection.Files); o.selection.Fingerprint != "" && n != 1 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--fingerprint is for one NAME or file, and there are %d", n),
			"%s them one at a time", o.Decision.Verb)
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

func (o *decideOptions) validateOutput() error {
	if o.dryRun != onboard.DryRunClient {
		return o.Output.validate(o.set)
	}
	if err := refuseGiven(o.set, "with --dry-run=client, which decides nothing", "leave it out", "message"); err != nil {
		return err
	}
	if err := refusePrintFlags(o.set, "a review"); err != nil {
		return err
	}
	return validateFormat(o.Output.format(), "a review", "text")
}

func (o *decideOptions) validateSelection() error {
	for _, name := range o.selection.Names {
		if name == "" {
			return outcome.Errorf(outcome.ErrUsage, "a NAME is empty")
		}
		if err := refuseFileName(name, o.forFile()); err != nil {
			return err
		}
	}
	ways := givenOf(o.set, "filename", "all", "selector")
	if len(o.selection.Names) > 0 {
		ways = slices.Insert(ways, 0, "a NAME")
	}
	switch {
	case len(ways) > 1:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%s exclude each other", enumerated(ways)),
			"say in one way which requests are meant")
	case o.set.Changed("all") && !o.All:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--all=false does nothing"), "leave it out")
	case o.set.Changed("selector") && o.Selector == "":
		// An unset variable in a script must not mean everything.
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the --selector is empty"),
			"for every pending request: --all")
	case len(ways) == 1:
		return nil
	case o.person == nil:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "no NAME is given, and nobody is at a terminal to choose a request"),
			"name a user or a request, or use --all or --selector; see: %s list --pending", program)
	case o.Yes:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--yes does not say which requests are meant"),
			"name a user or a request, or use --all or --selector")
	}
	return nil
}

func (o *decideOptions) connection() connection {
	if o.approves() {
		return o.grants.connection()
	}
	return connecting()
}

// forFile is the command that takes a request as a file. What only exists as a file cannot
// be denied, but looked at.
func (o *decideOptions) forFile() *fileCommand {
	if o.approves() {
		return &fileCommand{"approve", "-f"}
	}
	return &fileCommand{"approve --dry-run=client", "-f"}
}

// approves says whether this is approve, which has flags that deny has not.
func (o *decideOptions) approves() bool { return o.Decision.Is(request.Approved) }

func (o *decideOptions) validateHandoff() error {
	if o.set.Changed("expiration") && len(o.Files) == 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--expiration does nothing without --filename"),
			"a request on the cluster says itself how long it asks for")
	}
	if err := o.grants.validate(); err != nil {
		return err
	}
	if given := o.handoff.given(); given != "" && o.dryRun != onboard.DryRunNone {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--%s and --dry-run exclude each other", given),
			"a certificate can't be issued for show")
	}
	if o.handoff.Out == "-" && o.Output.format() != "" {
		return bothWantStandardOutput(o.Output.format())
	}
	several := len(o.selection.Names)+len(o.selection.Files) != 1
	return o.handoff.validate(len(o.Files) > 0, several)
}

// readFiles reads the requests that were sent. What can't be read among several
// is for the use case to tell.
func (o *decideOptions) readFiles() error {
	if len(o.Files) == 0 {
		return nil
	}
	lifetime, err := request.ParseLifetime(o.Expiration)
	if err != nil {
		return err
	}
	var imported []approval.Imported
	for _, path := range o.Files {
		if path != "-" && store.IsFolder(path) && o.handoff.Out != "" && o.handoff.Out != "-" {
			// What is made of a folder's files is as many.
			o.handoff.Out = store.AsFolder(o.handoff.Out)
		}
		inputs, unread, err := o.inputs().ReadAll(path)
		if err != nil {
			return err
		}
		if len(unread) > 0 {
			o.unread = append(o.unread, unreadIn(path, unread))
		}
		for _, input := range inputs {
			source := input.Path
			if source == "-" {
				source = "standard input"
			}
			err := input.Err
			if isWaitOver(err) {
				return err
			}
			var objects []*certificatesv1.CertificateSigningRequest
			if err == nil {
				objects, err = request.Import(input.Data, lifetime)
			}
			if err != nil {
				imported = append(imported, approval.Imported{Source: source, Err: noRequestIn(source, err)})
			}
			for _, object := range objects {
				one := approval.Imported{Source: source, Object: object, SignerAssumed: request.AssumeSigner(object)}
				if o.set.Changed("expiration") {
					if err := request.SetLifetime(object, lifetime); err != nil {
						return fmt.Errorf("%q: %w", source, err)
					}
					one.Lifetime = lifetime
				}
				imported = append(imported, one)
			}
		}
	}
	o.selection.Files = imported
	return nil
}

// unreadIn says which entries of a directory were not read, and how to have one read.
func unreadIn(directory string, unread []string) string {
	quoted := make([]string, len(unread))
	for i, name := range unread {
		quoted[i] = identity.Quote(name)
	}
	return fmt.Sprintf("not read in %s, by their names: %s; to read one, name it: --filename FILE", identity.Quote(directory), strings.Join(quoted, ", "))
}

func noRequestIn(source string, err error) error {
	return outcome.WithHint(
		fmt.Errorf("there is no certificate signing request in %q: %w", source, err),
		"it takes a PKCS#10 request in PEM, DER or base64, or a CertificateSigningRequest manifest of certificates.k8s.io/v1")
}

// Run shows, asks and decides.
func (o *decideOptions) Run(ctx context.Context) error {
	narrator := render.NewNarrator(o.streams.ErrOut).In(o.dryRun)
	defer narrator.Close()
	for _, text := range o.unread {
		narrator.Warn(text)
	}
	program, err := o.connect(narrator)
	if err != nil {
		return err
	}
	if len(o.selection.Names) == 0 && len(o.Files) == 0 && !o.All && o.selection.Labels == nil {
		o.selection.Choose = func(pending []*request.Review) ([]*request.Review, error) { return o.choose(ctx, pending) }
	}
	in := approval.Input{
		Decision:  o.Decision,
		Selection: o.selection,
		Allow:     o.Allow,
		Message:   o.Message,
		DryRun:    o.dryRun,
		Unasked:   o.Yes || o.dryRun != onboard.DryRunNone,
		Confirm:   confirmation{o.person, o.Yes, o.Decision.Verb, o.Decision.Done}.ask,
	}
	file := o.handoff.input(o.environment)
	if o.approves() {
		in.Grants = o.grants.input()
		in.Check = func(review *request.Review) error { return handoff.Check(ctx, program, review.User, file) }
	}
	decided, err := approval.Run(ctx, program, in)
	err = hintAtFile(err, o.selection.Names, o.forFile())
	if decided != nil && file.Path != "-" {
		if err := o.print(decided); err != nil {
			return err
		}
	}
	if len(decided) > 0 && o.dryRun == onboard.DryRunClient {
		narrator.NothingDecided(o.Decision)
	}
	if o.dryRun == onboard.DryRunNone && o.approves() && o.handoff.waits(len(o.Files) > 0) {
		handed, failed := handoff.Each(ctx, program, approval.ObjectsOf(decided), file)
		for _, one := range handed {
			if _, err := o.streams.Out.Write(one.Handoff); err != nil {
				return err
			}
		}
		if err == nil {
			err = failed
		}
	}
	return err
}

// print writes what was decided, or, in a client's dry run, what was shown.
func (o *decideOptions) print(decided []approval.Decided) error {
	if o.dryRun == onboard.DryRunClient {
		return o.printDryRun(decided)
	}
	objects := make([]*certificatesv1.CertificateSigningRequest, len(decided))
	for i, one := range decided {
		objects[i] = one.Object
	}
	return o.Output.print(o.streams, o.Decision.Done+o.dryRun.Note(), o.meansSeveral(), objects...)
}

// meansSeveral reports whether several requests can be meant, by what was typed alone: a
// script gets a list then, however many there are.
func (o *decideOptions) meansSeveral() bool {
	if len(o.Files) == 1 && (o.Files[0] == "-" || !store.IsFolder(o.Files[0])) {
		return len(o.selection.Files) != 1
	}
	return len(o.selection.Names) != 1
}

// printDryRun writes what was shown, and behind it the bindings that would be made.
func (o *decideOptions) printDryRun(decided []approval.Decided) error {
	format := o.Output.format()
	if err := printReviews(o.streams.Out, format, o.meansSeveral(), decided, o.now()); err != nil || !o.approves() {
		return err
	}
	var wanted []access.Wanted
	for _, one := range decided {
		ofUser, err := o.grants.input().WantedFor(one.Review.User)
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
		if err := o.printLine("---"); err != nil {
			return err
		}
	}
	output := newBindingOutput("to be applied" + o.dryRun.Note())
	output.OutputFormat = &format
	return printBindings(o.streams, output, o.meansSeveral() || o.grants.meansSeveral(), wanted)
}

// choose has the administrator mark some of the pending requests.
func (o *decideOptions) choose(ctx context.Context, pending []*request.Review) ([]*request.Review, error) {
	choices := make([]string, len(pending))
	for i, review := range pending {
		choices[i] = render.Choice(review, o.now(), render.Columns(o.streams.ErrOut)-prompt.OptionIndent)
	}
	marked, err := o.person.Select(ctx, fmt.Sprintf("Which requests do you want to look at, to %s them?", o.Decision.Verb), choices)
	if err != nil && !errors.Is(err, prompt.ErrStopped) {
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
