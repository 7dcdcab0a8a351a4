package cmd

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// fetchFlags are the flags about waiting for a certificate and writing the
// kubeconfig, which new-user --approve takes as well.
type fetchFlags struct {
	// Timeout is how long to wait for the certificate. Required; has a default.
	Timeout time.Duration
	// VerifyLogin says whether to log in before the kubeconfig is written.
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

	flags *pflag.FlagSet
	names []string
}

func (f *fetchFlags) add(flags *pflag.FlagSet) {
	f.flags = pflag.NewFlagSet("fetch", pflag.ContinueOnError)
	f.flags.DurationVar(&f.Timeout, "timeout", defaultTimeout, "how long to wait for the certificate")
	f.flags.BoolVar(&f.VerifyLogin, "verify-login", true, "log in with the new certificate before the kubeconfig is written")
	f.flags.StringVar(&f.Out, "out", "", "write the kubeconfig to this file, or to standard output (-), in place of the user's folder")
	f.flags.BoolVar(&f.Merge, "merge", false, "add the user to the kubeconfig that kubectl itself would write to")
	f.flags.BoolVar(&f.SetCurrent, "set-current", false, "with --merge, make the new context the current one")
	f.flags.StringVar(&f.ExternalServer, "external-server", "", "the API server's address as the user reaches it, where it is not the one used here")
	f.flags.StringVar(&f.ClusterName, "cluster-name", "", "the cluster's name in the kubeconfig; its name here if not given")
	f.flags.StringVar(&f.ContextName, "context-name", "", "the name of context and user in the kubeconfig; USER@CLUSTER if not given")
	f.flags.StringVar(&f.DefaultNamespace, "default-namespace", "", "the namespace that the context begins in")
	f.flags.VisitAll(func(flag *pflag.Flag) { f.names = append(f.names, flag.Name) })
	flags.AddFlagSet(f.flags)
	f.flags = flags
}

// given is the first of these flags that was given, or "".
func (f *fetchFlags) given() string {
	for _, name := range f.names {
		if f.flags.Changed(name) {
			return name
		}
	}
	return ""
}

func (f *fetchFlags) validate() error {
	switch {
	case f.Timeout <= 0:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--timeout %s leaves no time to wait", f.Timeout),
			"give a time above zero, for example: --timeout 10m")
	case f.Merge && f.Out != "":
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--merge and --out name two places"),
			"to merge into a certain file: --merge --kubeconfig FILE")
	case f.SetCurrent && !f.Merge:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--set-current does nothing without --merge"),
			"a kubeconfig of the user's own has her context as the current one anyway")
	case f.ExternalServer != "":
		address, err := url.Parse(f.ExternalServer)
		if err != nil || address.Scheme != "https" || address.Hostname() == "" || address.User != nil || address.RawQuery != "" || address.Fragment != "" {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "--external-server %q is no address of an API server", f.ExternalServer),
				"for example: --external-server https://kubernetes.example.com:6443")
		}
	}
	for _, name := range []struct{ flag, value string }{
		{"cluster-name", f.ClusterName}, {"context-name", f.ContextName}, {"default-namespace", f.DefaultNamespace},
	} {
		if f.flags.Changed(name.flag) && (name.value == "" || identity.Printable(name.value) != name.value) {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "--%s %q is empty or holds characters that can't be seen", name.flag, name.value),
				"use printable characters")
		}
	}
	if problems := validation.IsDNS1123Label(f.DefaultNamespace); f.DefaultNamespace != "" && len(problems) > 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--default-namespace %q is no namespace's name", f.DefaultNamespace),
			"%s", problems[0])
	}
	return nil
}

func (f *fetchFlags) input(env *environment, name, directory string) (onboard.FetchInput, error) {
	in := onboard.FetchInput{
		Name: name,
		FolderOf: func(user string) (store.Folder, error) {
			return store.UserFolder(directory, env.home(), user)
		},
		Timeout: f.Timeout,
		Kubeconfig: onboard.KubeconfigInput{
			Path:           f.Out,
			Merge:          f.Merge,
			SetCurrent:     f.SetCurrent,
			ExternalServer: f.ExternalServer,
			ClusterName:    f.ClusterName,
			ContextName:    f.ContextName,
			Namespace:      f.DefaultNamespace,
		},
		VerifyLogin: f.VerifyLogin,
		Resume:      fetchCommand(name, directory),
	}
	if f.Merge {
		loader := env.flags.ToRawKubeConfigLoader()
		visible, err := loader.RawConfig()
		if err != nil {
			return in, err
		}
		in.Kubeconfig.Visible = &visible
		in.Kubeconfig.Path = loader.ConfigAccess().GetDefaultFilename()
	}
	return in, nil
}

// fetchOptions is what fetch takes.
type fetchOptions struct {
	*environment
	fetchFlags

	// Directory is where the user's files are. Optional.
	Directory string
	// Output is the form of the report on standard output. Optional.
	Output string

	name     string
	narrator *render.Narrator
	program  *onboard.Program
}

func newFetch(env *environment) *cobra.Command {
	o := &fetchOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "fetch NAME",
		Short: "Wait for a user's certificate, check it, and write her kubeconfig",
		Long: `Wait until the request that new-user submitted is approved and signed, check
that the certificate belongs to the private key and names the user and nobody
else, log in with it, and write the kubeconfig beside the key.

The kubeconfig holds server and certificate authority of the current context.
Its path is printed, so that this works:

  export KUBECONFIG=$(kubectl csr-onboard fetch jane)

` + exitCodes,
		Example: `  # Wait for jane's certificate and write her kubeconfig
  kubectl csr-onboard fetch jane

  # Into the kubeconfig that kubectl itself uses, beside what is in it
  kubectl csr-onboard fetch jane --merge

  # Her files are in a folder of their own
  kubectl csr-onboard fetch jane --dir ./jane --timeout 1h`,
		Args:              oneName,
		RunE:              inSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.add(cmd.Flags())
	addDirectoryFlag(cmd.Flags(), &o.Directory)
	cmd.Flags().StringVarP(&o.Output, "output", "o", "", "report what was fetched as one of: "+strings.Join(render.Formats(), ", "))
	registerCompletion(cmd, "output", render.Formats())
	return cmd
}

// Complete prepares the connection.
func (o *fetchOptions) Complete(arguments []string) error {
	o.name = arguments[0]
	o.narrator = render.NewNarrator(o.streams.ErrOut)
	var err error
	o.program, err = o.connect(o.narrator)
	return err
}

// Validate refuses a wait of no time and an empty name.
func (o *fetchOptions) Validate() error {
	if o.name == "" {
		return outcome.Errorf(outcome.ErrUsage, "the NAME is empty")
	}
	if err := validateReport(o.Output, o.Out); err != nil {
		return err
	}
	return o.validate()
}

// Run waits, checks and writes.
func (o *fetchOptions) Run(ctx context.Context) error {
	defer o.narrator.Close()
	in, err := o.input(o.environment, o.name, o.Directory)
	if err != nil {
		return err
	}
	fetched, err := o.program.Fetch(ctx, in)
	if err != nil {
		return err
	}
	return printFetched(o.streams, o.Output, fetched)
}

func addDirectoryFlag(flags *pflag.FlagSet, directory *string) {
	flags.StringVar(directory, "dir", "", "the folder of the user's key, request and kubeconfig; a folder of hers under ~/.kube/csr-onboard if not given")
}

// registerCompletion completes a flag from fixed words.
func registerCompletion(cmd *cobra.Command, flag string, words []string) {
	// It fails only for a flag that there is not, which the command's own tests
	// would show.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// fetchCommand is what to type to fetch a user's kubeconfig later.
func fetchCommand(name, directory string) string {
	command := program + " fetch " + shellQuote(name)
	if directory != "" {
		command += " --dir " + shellQuote(directory)
	}
	return command
}

// shellQuote writes a word so that a POSIX shell reads it as one.
func shellQuote(word string) string {
	if word != "" && !strings.ContainsFunc(word, isShellSpecial) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func isShellSpecial(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > 0x7f:
		return false
	}
	return !strings.ContainsRune("._-/@:+,=%", r)
}
