package options

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/prompt"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Output is the -o of commands whose data are request objects: kubectl's
// own formats, through cli-runtime's printers.
type Output struct {
	Flags *genericclioptions.PrintFlags
}

// NewOutput makes the -o of commands that print requests.
func NewOutput() Output {
	scheme := runtime.NewScheme()
	// It fails only for types that are registered twice.
	_ = certificatesv1.AddToScheme(scheme)
	return Output{Flags: genericclioptions.NewPrintFlags("").WithTypeSetter(scheme)}
}

// Add adds the flags.
func (o Output) Add(cmd *cobra.Command) { AddPrintFlags(cmd, o.Flags) }

// AddPrintFlags adds kubectl's output flags, which come without completions.
func AddPrintFlags(cmd *cobra.Command, flags *genericclioptions.PrintFlags) {
	// cli-runtime adds flags to a command only.
	holder := &cobra.Command{}
	flags.AddFlags(holder)
	cli.OutputSection.In(cmd.Flags(), func(set *pflag.FlagSet) { set.AddFlagSet(holder.Flags()) })
	cli.RegisterCompletion(cmd, "output", flags.AllowedFormats())
}

// Format is what -o says; "" is a line for people.
func (o Output) Format() string { return *o.Flags.OutputFormat }

// IsForPeople reports whether each object is a line for people. As kubectl has it, a
// template alone is for -o go-template.
func (o Output) IsForPeople() bool {
	return o.Format() == "" && *o.Flags.TemplatePrinterFlags.TemplateArgument == ""
}

// Validate refuses forms that do not exist, and flags that the form has no use for.
func (o Output) Validate(set *pflag.FlagSet) error {
	if err := cli.CheckPrintFlags(set, strings.ToLower(o.Format())); err != nil {
		return err
	}
	if _, err := o.Flags.ToPrinter(); err != nil {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "-o %q: %w", o.Format(), err),
			"%s", cmp.Or(toFile(set, o.Format()), "for example: -o yaml, -o json, -o name, -o jsonpath={.metadata.name}"))
	}
	return nil
}

// Print writes the objects: as a list where several can be meant, however many there are.
// Without a format, each is a line that says what was done. Names are escaped in lines for
// people, which may be on a terminal.
func (o Output) Print(streams genericiooptions.IOStreams, done string, several bool, objects ...*request.Request) error {
	switch format := strings.ToLower(o.Format()); {
	case o.IsForPeople():
		for _, object := range objects {
			if _, err := fmt.Fprintf(streams.Out, "%s/%s %s\n", RequestResource, identity.Printable(object.Name), done); err != nil {
				return err
			}
		}
		return nil
	case format == "name":
		for _, object := range objects {
			if err := PrintNames(streams.Out, object.Name); err != nil {
				return err
			}
		}
		return nil
	}
	if !several && len(objects) == 1 {
		return o.print(streams, objects[0].CertificateSigningRequest)
	}
	list := &certificatesv1.CertificateSigningRequestList{Items: []certificatesv1.CertificateSigningRequest{}}
	for _, object := range objects {
		list.Items = append(list.Items, *object.CertificateSigningRequest)
	}
	return o.print(streams, list)
}

// print writes an object in the form of the flags.
func (o Output) print(streams genericiooptions.IOStreams, object runtime.Object) error {
	printer, err := o.Flags.ToPrinter()
	if err != nil {
		return err
	}
	out := streams.Out
	if prompt.IsTerminal(out) {
		// kubectl's printers write names as they are.
		out = screen.Escaping(out)
	}
	return printer.PrintObj(object, out)
}

// Objects are requests on one cluster, and what was done to them.
type Objects struct {
	// Done is what a line for people says, such as "approved". Required.
	Done  string
	Items []*request.Request
}

// PrintOnClusters is Print for requests on several clusters, each of which says in the field cluster
// where it is. They are always a list.
func (o Output) PrintOnClusters(streams genericiooptions.IOStreams, all []report.OnCluster[Objects]) error {
	if o.IsForPeople() {
		for _, one := range all {
			on := streams
			on.Out = screen.Prefixing(streams.Out, render.ClusterPrefix(one.Cluster))
			if err := o.Print(on, one.Value.Done, true, one.Value.Items...); err != nil {
				return err
			}
		}
		return nil
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(certificatesv1.SchemeGroupVersion.WithKind("CertificateSigningRequestList"))
	for _, one := range all {
		for _, object := range one.Value.Items {
			fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object.CertificateSigningRequest)
			if err != nil {
				return err
			}
			item := unstructured.Unstructured{Object: fields}
			item.SetGroupVersionKind(certificatesv1.SchemeGroupVersion.WithKind("CertificateSigningRequest"))
			item.Object["cluster"] = one.Cluster
			list.Items = append(list.Items, item)
		}
	}
	return o.print(streams, list)
}

// RequestResource is how kubectl writes the kind before an object's name.
const RequestResource = "certificatesigningrequest.certificates.k8s.io"

// AddFormatFlag adds -o for data that is not an API object. more are forms beyond render.Formats, and
// otherwise is what there is without it.
func AddFormatFlag(cmd *cobra.Command, format *string, otherwise string, more ...string) {
	cli.OutputSection.In(cmd.Flags(), func(flags *pflag.FlagSet) {
		flags.StringVarP(format, "output", "o", "", fmt.Sprintf("Output format. One of: (%s). Default: %s.", strings.Join(formatsWith(more), ", "), otherwise))
	})
	cli.RegisterCompletion(cmd, "output", formatsWith(more))
}

func formatsWith(more []string) []string { return append(report.Formats(), more...) }

// ValidateFormat refuses a form in which the program does not write what is not an API object, which
// is one of render.Formats or of more; without -o, otherwise is what there is.
func ValidateFormat(set *pflag.FlagSet, format, what, otherwise string, more ...string) error {
	if format == "" || slices.Contains(more, format) {
		return nil
	}
	err := report.CheckFormat(format)
	if err == nil {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "-o %q is not a valid output format of %s: %w", format, what, err),
		"%s", cmp.Or(toFile(set, format), "use one of "+strings.Join(formatsWith(more), ", ")+", or leave it out for "+otherwise))
}

// toFile is how to write to a file, where -o names a file in place of a format; "" elsewhere.
func toFile(set *pflag.FlagSet, format string) string {
	switch {
	case !strings.ContainsAny(format, "./\\") || strings.Contains(format, "="):
		return ""
	case set.Lookup("out") != nil:
		return "-o is the output format; to write to a file: " + identity.NewCommand("--out").Argument(format).String()
	}
	return "-o is the output format; to write to a file: " + identity.NewCommand(">").Argument(format).String()
}

// PrintNames writes objects as kubectl's -o name does, escaped.
func PrintNames(out io.Writer, names ...string) error {
	for _, name := range names {
		if _, err := fmt.Fprintf(out, "%s/%s\n", RequestResource, identity.Printable(name)); err != nil {
			return err
		}
	}
	return nil
}

// ParseSelector reads a label selector as kubectl does.
func ParseSelector(text string) (labels.Selector, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--selector %q is not a valid label selector: %w", text, err),
			"for example: -l team=blue, or -l 'team in (blue, red)'")
	}
	return selector, nil
}
