package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// objectOutput is the -o of commands whose data are request objects: kubectl's
// own formats, through cli-runtime's printers.
type objectOutput struct {
	flags *genericclioptions.PrintFlags
}

func newObjectOutput() objectOutput {
	scheme := runtime.NewScheme()
	// It fails only for types that are registered twice.
	_ = certificatesv1.AddToScheme(scheme)
	return objectOutput{flags: genericclioptions.NewPrintFlags("").WithTypeSetter(scheme)}
}

func (o objectOutput) add(cmd *cobra.Command) { addPrintFlags(cmd, o.flags) }

// addPrintFlags adds kubectl's output flags, which come without completions.
func addPrintFlags(cmd *cobra.Command, flags *genericclioptions.PrintFlags) {
	flags.AddFlags(cmd)
	registerCompletion(cmd, "output", flags.AllowedFormats())
}

// format is what -o says; "" is a line for people.
func (o objectOutput) format() string { return *o.flags.OutputFormat }

// isForPeople reports whether each object is a line for people. As kubectl has it, a
// template alone is for -o go-template.
func (o objectOutput) isForPeople() bool {
	return o.format() == "" && *o.flags.TemplatePrinterFlags.TemplateArgument == ""
}

// validate refuses forms that do not exist, and flags that the form has no use for.
func (o objectOutput) validate(set *pflag.FlagSet) error {
	if err := checkPrintFlags(set, strings.ToLower(o.format())); err != nil {
		return err
	}
	if _, err := o.flags.ToPrinter(); err != nil {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "-o %q: %w", o.format(), err),
			"for example: -o yaml, -o json, -o name, -o jsonpath={.metadata.name}")
	}
	return nil
}

// print writes the objects: as a list where several can be meant, however many there are.
// Without a format, each is a line that says what was done. Names are escaped in lines for
// people, which may be on a terminal.
func (o objectOutput) print(streams genericiooptions.IOStreams, done string, several bool, objects ...*certificatesv1.CertificateSigningRequest) error {
	switch format := strings.ToLower(o.format()); {
	case o.isForPeople():
		for _, object := range objects {
			if _, err := fmt.Fprintf(streams.Out, "%s/%s %s\n", requestResource, identity.Printable(object.Name), done); err != nil {
				return err
			}
		}
		return nil
	case format == "name":
		for _, object := range objects {
			if err := printNames(streams.Out, object.Name); err != nil {
				return err
			}
		}
		return nil
	}
	printer, err := o.flags.ToPrinter()
	if err != nil {
		return err
	}
	out := streams.Out
	if prompt.IsTerminal(out) {
		// kubectl's printers write names as they are.
		out = render.Escaping(out)
	}
	if !several && len(objects) == 1 {
		return printer.PrintObj(objects[0], out)
	}
	list := &certificatesv1.CertificateSigningRequestList{Items: []certificatesv1.CertificateSigningRequest{}}
	for _, object := range objects {
		list.Items = append(list.Items, *object)
	}
	return printer.PrintObj(list, out)
}

// requestResource is how kubectl writes the kind before an object's name.
const requestResource = "certificatesigningrequest.certificates.k8s.io"

// validateReport says whether -o names a form that a fetched kubeconfig's report
// has.
func validateReport(format, out string) error {
	if format != "" && out == "-" {
		return bothWantStandardOutput(format)
	}
	return validateFormat(format, "this command's report", "the kubeconfig's path")
}

func bothWantStandardOutput(format string) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--out - and -o %s both want standard output", format),
		"write the kubeconfig to a file: --out FILE")
}

// validateFormat says whether -o names a form in which the program writes what is
// no API object; without it, otherwise is what there is.
func validateFormat(format, what, otherwise string) error {
	if format == "" || slices.Contains(render.Formats(), format) {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "-o %q is no form of %s", format, what),
		"use one of %s, or leave it out for %s", strings.Join(render.Formats(), ", "), otherwise)
}

// printReviews writes what an administrator would decide about, as a list where several can
// be meant, however many there are.
func printReviews(out io.Writer, format string, several bool, decided []approval.Decided, now time.Time) error {
	reviews := make([]*request.Review, len(decided))
	for i, one := range decided {
		reviews[i] = one.Review
	}
	switch {
	case format == "":
		for _, review := range reviews {
			if err := render.Review(out, review, now); err != nil {
				return err
			}
		}
		return nil
	case !several && len(reviews) == 1:
		return render.OneReview(out, format, reviews[0])
	}
	return render.Reviews(out, format, reviews)
}

// printNames writes objects as kubectl's -o name does, escaped.
func printNames(out io.Writer, names ...string) error {
	for _, name := range names {
		if _, err := fmt.Fprintf(out, "%s/%s\n", requestResource, identity.Printable(name)); err != nil {
			return err
		}
	}
	return nil
}

// parseSelector reads a label selector as kubectl does.
func parseSelector(text string) (labels.Selector, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--selector %q is no label selector: %w", text, err),
			"for example: -l team=blue, or -l 'team in (blue, red)'")
	}
	return selector, nil
}

// printFetched writes where the kubeconfig is, a report about it, or the
// kubeconfig itself where it was asked for.
func printFetched(streams genericiooptions.IOStreams, format string, fetched *onboard.Fetched) error {
	var err error
	switch {
	case format != "":
		err = render.Report(streams.Out, format, fetched)
	case fetched.Path == "":
		_, err = streams.Out.Write(fetched.InHand)
	default:
		_, err = fmt.Fprintln(streams.Out, fetched.Path)
	}
	return err
}

// dryRunFlag is kubectl's own --dry-run.
type dryRunFlag struct {
	value string
}

func (f *dryRunFlag) add(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&f.value, "dry-run", string(onboard.DryRunNone), usage)
	words := make([]string, 0, len(onboard.DryRuns()))
	for _, known := range onboard.DryRuns() {
		words = append(words, string(known))
	}
	registerCompletion(cmd, "dry-run", words)
}

func (f *dryRunFlag) parse() (onboard.DryRun, error) {
	for _, known := range onboard.DryRuns() {
		if f.value == string(known) {
			return known, nil
		}
	}
	return "", outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--dry-run %q is none of none, client and server", f.value),
		"for example: --dry-run=client -o yaml")
}
