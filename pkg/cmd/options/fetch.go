package options

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/process"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Fetch are the flags about waiting for a certificate and writing the
// kubeconfig, which new-user takes as well, with --approve or --wait.
type Fetch struct {
	// CertificateOnly writes the certificate in place of a kubeconfig. Optional.
	CertificateOnly bool
	// Timeout is how long to wait for the certificate. Required; has a default.
	Timeout time.Duration
	// VerifyLogin reports whether to log in before the kubeconfig is written.
	VerifyLogin bool
	// Out is the file to write, or "-" for standard output. Optional.
	Out string
	// Merge adds to the kubeconfig that kubectl itself would write to. Optional.
	Merge bool
	// SetCurrent switches to the new context. Optional; with Merge only.
	SetCurrent bool
	// ExternalServer is the address that the user reaches. Optional.
	ExternalServer string
	// ClusterName and ContextName are names of entries. Optional.
	ClusterName, ContextName string
	// DefaultNamespace is the context's. Optional.
	DefaultNamespace string
	// Exec has the kubeconfig log in by csr-onboard, which renews the certificate.
	// Optional.
	Exec bool
	// Overwrite replaces a certificate and key that expire later. Optional.
	Overwrite bool

	set *pflag.FlagSet
	// Names are the names of these flags, once they are added.
	Names []string

	// What Read has found: how the kubeconfig calls csr-onboard, the file to write, and the
	// kubeconfig that is merged into.
	execCommand, path string
	visible           *clientcmdapi.Config
}

// Add adds the flags.
func (f *Fetch) Add(flags *pflag.FlagSet) {
	f.set = pflag.NewFlagSet("fetch", pflag.ContinueOnError)
	AddTimeoutFlag(f.set, &f.Timeout, DefaultTimeout, "how long to wait for the certificate")
	f.set.BoolVar(&f.VerifyLogin, "verify-login", true, "log in with the new certificate before the kubeconfig is written")
	cli.KubeconfigSection.In(f.set, f.addOfKubeconfig)
	f.set.VisitAll(func(flag *pflag.Flag) { f.Names = append(f.Names, flag.Name) })
	flags.AddFlagSet(f.set)
	f.set = flags
}

// addOfKubeconfig adds the flags about what is written, and where.
func (f *Fetch) addOfKubeconfig(flags *pflag.FlagSet) {
	flags.BoolVar(&f.CertificateOnly, "certificate-only", false, "write only the certificate, as PEM, instead of a kubeconfig")
	flags.StringVar(&f.Out, "out", "", "write the kubeconfig (or certificate) to this file, or to standard output (-), instead of the user's directory")
	flags.BoolVar(&f.Merge, "merge", false, "add the user to the kubeconfig that kubectl uses")
	flags.BoolVar(&f.SetCurrent, "set-current", false, "with --merge, make the new context the current context")
	addExternalServerFlag(flags, &f.ExternalServer)
	AddClusterNameFlag(flags, &f.ClusterName)
	flags.StringVar(&f.ContextName, "context-name", "", "the name of context and user in the kubeconfig (default: USER@CLUSTER)")
	flags.StringVar(&f.DefaultNamespace, "default-namespace", "", "the default namespace of the context")
	flags.BoolVar(&f.Exec, "exec", false, "keep certificate and key out of the kubeconfig: kubectl runs csr-onboard, which renews them before they expire")
	flags.BoolVar(&f.Overwrite, "overwrite", false, "replace a certificate and key that expire later than the new ones, such as renewed ones")
}

// Given is the first of these flags that was given, or "".
func (f *Fetch) Given() string {
	for _, name := range f.Names {
		if f.set.Changed(name) {
			return name
		}
	}
	return ""
}

// givenOfKubeconfig is the first flag that was given about what a kubeconfig holds, or "".
func (f *Fetch) givenOfKubeconfig() string {
	for _, name := range []string{"merge", "set-current", "external-server", "cluster-name", "context-name", "default-namespace", "exec"} {
		if f.set.Changed(name) {
			return name
		}
	}
	return ""
}

// Validate refuses values and combinations that make no sense, with ErrUsage.
func (f *Fetch) Validate() error {
	switch {
	case f.Timeout <= 0:
		return NoTimeToWait(f.Timeout)
	case f.CertificateOnly && f.givenOfKubeconfig() != "":
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--certificate-only writes no kubeconfig, and --%s is about one", f.givenOfKubeconfig()),
			"leave one of them out")
	case f.Merge && f.Out != "":
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--merge and --out name two places"),
			"to merge into a certain file: --merge --kubeconfig FILE")
	case f.SetCurrent && !f.Merge:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--set-current does nothing without --merge"),
			"in a separate kubeconfig the user's context is the current context anyway")
	}
	if err := validateExternalServer(f.ExternalServer); err != nil {
		return err
	}
	for _, name := range []struct{ flag, value string }{
		{"cluster-name", f.ClusterName}, {"context-name", f.ContextName}, {"default-namespace", f.DefaultNamespace},
	} {
		if err := ValidateName(f.set, name.flag, name.value); err != nil {
			return err
		}
	}
	if f.DefaultNamespace != "" && len(validation.IsDNS1123Label(f.DefaultNamespace)) > 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--default-namespace %q is not a valid namespace", f.DefaultNamespace),
			access.NamespaceRule)
	}
	return nil
}

func addExternalServerFlag(flags *pflag.FlagSet, server *string) {
	flags.StringVar(server, "external-server", "", "the address at which the user reaches the API server (default: the address used here)")
}

// AddClusterNameFlag adds --cluster-name.
func AddClusterNameFlag(flags *pflag.FlagSet, name *string) {
	flags.StringVar(name, "cluster-name", "", "the name of the cluster in the kubeconfig (default: its name here)")
}

// NoTimeToWait is the error of a --timeout that is not above zero.
func NoTimeToWait(timeout time.Duration) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--timeout %s leaves no time to wait", timeout),
		"give a time above zero, for example: --timeout 10m")
}

func validateExternalServer(server string) error {
	if server == "" || kubeconfig.IsServerAddress(server) {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--external-server %q is not a valid address of an API server", server),
		"for example: --external-server https://kubernetes.example.com:6443")
}

// ValidateName refuses a name of an entry that was given and cannot be seen.
func ValidateName(flags *pflag.FlagSet, flag, name string) error {
	if !flags.Changed(flag) || name != "" && identity.Printable(name) == name {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--%s %q is empty or holds characters that cannot be seen", flag, name),
		"use printable characters")
}

// Read finds how a kubeconfig calls csr-onboard, and the kubeconfig that is merged into.
func (f *Fetch) Read(env *cli.Environment) (err error) {
	if f.Exec {
		if f.execCommand, err = process.Command(kubeconfig.Plugin); err != nil {
			return err
		}
	}
	f.path = f.Out
	if f.Merge {
		if f.path, err = env.KubeconfigToWrite(); err == nil {
			f.visible, err = env.VisibleKubeconfig()
		}
	}
	return err
}

// Input is what these flags say about the request of a name, with the user's files in directory.
func (f *Fetch) Input(env *cli.Environment, name, directory string) onboard.FetchInput {
	written := f.destination(env)
	if env.Cluster != "" {
		// What is written for each cluster is joined at the end: see FetchOnClusters.
		written.Path, written.Merge, written.Visible = "", false, nil
	}
	return onboard.FetchInput{
		Name: name,
		DirectoryOf: func(user string) (store.UserDirectory, error) {
			directory, err := store.UserDirectoryOf(directory, env.Home(), user)
			if err == nil && env.Cluster != "" {
				directory = directory.ForCluster(env.Cluster)
			}
			return directory, err
		},
		Timeout:     f.Timeout,
		Kubeconfig:  written,
		VerifyLogin: f.VerifyLogin,
		Resume:      env.SameCluster(f.resume(name, directory)).String(),
	}
}

// destination says what is written, and where.
func (f *Fetch) destination(env *cli.Environment) destination.Input {
	return destination.Input{
		CertificateOnly: f.CertificateOnly,
		Path:            f.path,
		Merge:           f.Merge,
		Named:           *env.Flags.KubeConfig,
		Visible:         f.visible,
		SetCurrent:      f.SetCurrent,
		ExternalServer:  f.ExternalServer,
		ClusterName:     f.ClusterName,
		ContextName:     f.ContextName,
		Namespace:       f.DefaultNamespace,
		Exec:            f.Exec,
		ExecCommand:     f.execCommand,
		Overwrite:       f.Overwrite,
	}
}

// AddDirectoryFlag adds --dir.
func AddDirectoryFlag(flags *pflag.FlagSet, directory *string) {
	flags.StringVar(directory, "dir", "", "the directory for the user's key, request and kubeconfig (default: ~/.kube/csr-onboard/USER)")
}

// resume is what to type to continue waiting.
func (f *Fetch) resume(name, directory string) identity.Command {
	command := FetchCommand(name, directory)
	if f.CertificateOnly {
		command = command.Words("--certificate-only")
	}
	return command
}

// FetchCommand is what to type to fetch a user's kubeconfig later.
func FetchCommand(name, directory string) identity.Command {
	command := identity.NewCommand(cli.Program + " fetch").Argument(name)
	if directory != "" {
		command = command.Option("--dir", directory)
	}
	return command
}

// DefaultTimeout is how long fetch waits for a certificate.
const DefaultTimeout = 10 * time.Minute

// ValidateReport reports whether -o names a form that a fetched kubeconfig's report
// has.
func ValidateReport(set *pflag.FlagSet, format, out string) error {
	if format != "" && out == "-" {
		return BothWantStandardOutput(format)
	}
	return ValidateFormat(set, format, "this command's report", "the kubeconfig's path")
}

// BothWantStandardOutput is the error of --out - together with -o.
func BothWantStandardOutput(format string) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--out - and -o %s both want standard output", format),
		"write the kubeconfig to a file: --out FILE")
}

// PrintFetched writes where the kubeconfig is, a report about it, or the
// kubeconfig itself where it was asked for.
func PrintFetched(streams genericiooptions.IOStreams, format string, fetched *onboard.Fetched) error {
	var err error
	switch {
	case format != "":
		err = report.Fetched(streams.Out, format, fetched)
	case fetched.Path == "":
		_, err = streams.Out.Write(fetched.InHand)
	default:
		_, err = fmt.Fprintln(streams.Out, fetched.Path)
	}
	return err
}
