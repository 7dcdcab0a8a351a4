package cmd

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

	flags *pflag.FlagSet
}

var fetchFlagNames = []string{"timeout", "verify-login"}

func (f *fetchFlags) add(flags *pflag.FlagSet) {
	f.flags = flags
	flags.DurationVar(&f.Timeout, "timeout", defaultTimeout, "how long to wait for the certificate")
	flags.BoolVar(&f.VerifyLogin, "verify-login", true, "log in with the new certificate before the kubeconfig is written")
}

// given is the first of these flags that was given, or "".
func (f *fetchFlags) given() string {
	for _, name := range fetchFlagNames {
		if f.flags.Changed(name) {
			return name
		}
	}
	return ""
}

func (f *fetchFlags) validate() error {
	if f.Timeout <= 0 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--timeout %s leaves no time to wait", f.Timeout),
			"give a time above zero, for example: --timeout 10m")
	}
	return nil
}

func (f *fetchFlags) input(env *environment, name, directory string) onboard.FetchInput {
	return onboard.FetchInput{
		Name: name,
		FolderOf: func(user string) (store.Folder, error) {
			return store.UserFolder(directory, env.home(), user)
		},
		Timeout:     f.Timeout,
		Namespace:   env.namespace(),
		VerifyLogin: f.VerifyLogin,
		Resume:      fetchCommand(name, directory),
	}
}

// fetchOptions is what fetch takes.
type fetchOptions struct {
	*environment
	fetchFlags

	// Directory is where the user's files are. Optional.
	Directory string

	name    string
	program *onboard.Program
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

  # Her files are in a folder of their own
  kubectl csr-onboard fetch jane --dir ./jane --timeout 1h`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, arguments []string) error {
			if err := o.Complete(arguments); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.add(cmd.Flags())
	addDirectoryFlag(cmd.Flags(), &o.Directory)
	return cmd
}

// Complete prepares the connection.
func (o *fetchOptions) Complete(arguments []string) error {
	o.name = arguments[0]
	var err error
	o.program, err = o.connect(render.NewNarrator(o.streams.ErrOut))
	return err
}

// Validate refuses a wait of no time and an empty name.
func (o *fetchOptions) Validate() error {
	if o.name == "" {
		return outcome.Errorf(outcome.ErrUsage, "the NAME is empty")
	}
	return o.validate()
}

// Run waits, checks and writes.
func (o *fetchOptions) Run(ctx context.Context) error {
	fetched, err := o.program.Fetch(ctx, o.input(o.environment, o.name, o.Directory))
	if err != nil {
		return err
	}
	return o.printLine("%s", fetched.Path)
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
