package options

import (
	"bufio"
	"cmp"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// NewBindingOutput makes the -o of commands that create role bindings. done is what a line says of
// each, such as "applied".
func NewBindingOutput(done string) *genericclioptions.PrintFlags {
	scheme := runtime.NewScheme()
	// They fail only for types that are registered twice.
	_ = rbacv1.AddToScheme(scheme)
	_ = corev1.AddToScheme(scheme)
	return genericclioptions.NewPrintFlags(done).WithTypeSetter(scheme)
}

// PrintBindings writes the objects that give what is wanted, as a list where several can be
// meant. Lines, for people or of -o name, are one for each object.
func PrintBindings(streams genericiooptions.IOStreams, output *genericclioptions.PrintFlags, several bool, wanted []access.Wanted) error {
	return PrintObjects(streams, output, several, access.Objects(wanted), nil)
}

// PrintObjects is PrintBindings for objects. results say of each what was done, where there is one;
// nil for what the output says of all.
func PrintObjects(streams genericiooptions.IOStreams, output *genericclioptions.PrintFlags, several bool, objects []runtime.Object, results []string) error {
	// kubectl's printer of names does not tell that a line could not be written; the buffer does.
	buffered := bufio.NewWriter(streams.Out)
	err := printObjects(buffered, output, several, objects, results)
	return cmp.Or(err, buffered.Flush())
}

func printObjects(out io.Writer, output *genericclioptions.PrintFlags, several bool, objects []runtime.Object, results []string) error {
	if several && !IsNameForm(output) {
		printer, err := output.ToPrinter()
		if err != nil {
			return err
		}
		return printer.PrintObj(ListOf(objects), out)
	}
	for i, object := range objects {
		if results != nil {
			output.NamePrintFlags.Operation = results[i]
		}
		printer, err := output.ToPrinter()
		if err != nil {
			return err
		}
		if err := printer.PrintObj(object, out); err != nil {
			return err
		}
	}
	return nil
}

// IsNameForm reports whether the output is a line for each object.
func IsNameForm(output *genericclioptions.PrintFlags) bool {
	format := strings.ToLower(*output.OutputFormat)
	return format == "name" || format == "" && *output.TemplatePrinterFlags.TemplateArgument == ""
}

// ListOf is the list that kubectl prints several objects as.
func ListOf(objects []runtime.Object) *corev1.List {
	list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{}}
	for _, object := range objects {
		list.Items = append(list.Items, runtime.RawExtension{Object: object})
	}
	return list
}
