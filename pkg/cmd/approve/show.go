package approve

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// showOptions is what show takes.
type showOptions struct {
	*cli.Environment

	// Files are requests to show that are not on the cluster. Required without a NAME.
	Files []string
	// Output is the form of the reviews. Optional: text.
	Output string

	input  approval.ShowInput
	unread []string
}

// NewShow makes the command show.
func NewShow(env *cli.Environment) *cobra.Command {
	o := &showOptions{Environment: env}
	cmd := &cobra.Command{
		Use:     "show (NAME... | -f FILE)",
		Aliases: []string{"describe", "review"},
		Short:   "Show what is in a request, and decide nothing",
		Long: `Show the review of certificate signing requests: user, groups, key and fingerprint, who submitted
the request, its state, the issuer of its certificate, and findings. NAME is the name of a request,
which can be written csr/NAME, or a user name, which shows every request for that user. --filename
shows requests in files, before they are submitted.

Nothing is decided, and permission to approve is not required. What you cannot read, such as role
bindings, is named as not checked. approve shows the same before it asks.

-o json and -o yaml print a RequestReview, or a RequestReviewList where there can be several. See
https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/guides/review.md.

` + cli.ExitCodes,
		Example: `  # Show the requests for jane
  kubectl csr-onboard show jane

  # Show a request in a file, before it is submitted
  kubectl csr-onboard show -f jane.csr

  # In a script: the names of the findings
  kubectl csr-onboard show jane -o jsonpath='{.items[*].findings[*].name}'`,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cli.CompleteFromCluster(env, cli.PendingUsers),
	}
	cmd.Flags().StringArrayVarP(&o.Files, "filename", "f", nil, "show the request in this file (PEM, DER or a manifest), in each file of this directory with the name of a request, or in standard input (-); can be repeated")
	_ = cmd.MarkFlagFilename("filename", requestExtensions...)
	options.AddFormatFlag(cmd, &o.Output, "text")
	return cmd
}

// Complete reads what to show.
func (o *showOptions) Complete(arguments []string) (err error) {
	o.input.Names, err = options.ParseNames(arguments, o.forFile())
	return err
}

// Validate refuses names and files together, or neither.
func (o *showOptions) Validate() error {
	switch {
	case len(o.input.Names) > 0 && len(o.Files) > 0:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "a NAME and --filename exclude each other"), "show them one after the other")
	case len(o.input.Names)+len(o.Files) == 0:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "what to show is missing"),
			"for example: %s show jane, or -f jane.csr; to list the requests: %s list", cli.Program, cli.Program)
	}
	return options.ValidateFormat(o.FlagSet, o.Output, "a review", "text")
}

func (o *showOptions) forFile() *cli.FileCommand {
	return &cli.FileCommand{Words: "show", Option: "-f"}
}

// Connection implements cli.Steps.
func (o *showOptions) Connection() cli.Connection { return cli.Connecting() }

// Read reads the files.
func (o *showOptions) Read() (err error) {
	files := requestFiles{Environment: o.Environment, lifetime: request.DefaultLifetime}
	o.input.Files, o.unread, err = files.read(o.Files)
	return err
}

// Run shows.
func (o *showOptions) Run(ctx context.Context) error {
	for _, text := range o.unread {
		o.Narrator.Warn(text)
	}
	program, err := o.Connect()
	if err != nil {
		return err
	}
	reviews, err := approval.Show(ctx, program, o.input)
	if err != nil {
		return options.HintAtFile(err, o.input.Names, o.forFile())
	}
	return printReviews(o.Streams.Out, o.Output, o.meansSeveral(reviews), reviews, o.Now())
}

// meansSeveral reports whether there can be several requests, whatever there are now: a user may
// have any number of them, and a request has its name alone.
func (o *showOptions) meansSeveral(reviews []*request.Review) bool {
	if len(o.input.Names) == 1 {
		return len(reviews) != 1 || reviews[0].Object.Name != o.input.Names[0].Text
	}
	return len(o.input.Names) > 1 || len(reviews) != 1
}
