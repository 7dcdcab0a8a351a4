package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/homedir"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// HomeDirectory is the user's home directory, as kubectl finds it.
func HomeDirectory() string { return homedir.HomeDir() }

// PrintLine writes one line of data to standard output.
func (e *Environment) PrintLine(format string, arguments ...any) error {
	_, err := fmt.Fprintf(e.Streams.Out, format+"\n", arguments...)
	return err
}

// ExitCodes are the exit codes, for the help of every command.
const ExitCodes = `Exit codes: 0 done; 1 failed; 2 wrong usage; 3 the request was denied or failed;
4 request not found, or garbage-collected; 5 the request is not the one that was
reviewed, or somebody else decided it first; 6 refused because of a finding;
124 timed out; 130 interrupted.`

// Program is what people type to run csr-onboard.
const Program = "kubectl csr-onboard"

// Environment is what every command takes from outside.
type Environment struct {
	// Streams are standard input, output and error. Required.
	Streams genericiooptions.IOStreams
	// Flags are kubectl's own flags about the connection. Required.
	Flags *genericclioptions.ConfigFlags
	// Build says which build of csr-onboard this is. Required.
	Build buildinfo.Build
	// Now is the clock. Required.
	Now func() time.Time
	// Verbosity is the level of the log: above 0, each call to an API server is told. Optional.
	Verbosity int
	// Home finds the user's home directory; "" if there is none. Required.
	Home func() string
	// Interrupted is closed when the user does not want to wait any longer. Optional.
	Interrupted <-chan struct{}
	// Run is the last of a command's steps; tests end before it. Required.
	Run func(context.Context, Steps) error

	// Cluster is the context of the cluster that this environment is for, if the command runs on
	// several: see ForContext. Optional.
	Cluster string

	// FlagSet has the flags of the command that runs, and Narrator tells what it does. Both are
	// set before its steps.
	FlagSet  *pflag.FlagSet
	Narrator *render.Narrator

	// kubeconfig is what RawKubeconfig has read; nil before.
	kubeconfig clientcmd.ClientConfig
	// piped is what came through the pipes of a shell that flags name: see readNamed.
	piped map[string][]byte
}

// Inputs reads what a person names.
func (e *Environment) Inputs() store.Inputs {
	return store.Inputs{Stdin: e.Streams.In, Interrupted: e.Interrupted}
}

// IsWaitOver reports whether an input was not waited for any longer, which says nothing
// about what is in it.
func IsWaitOver(err error) bool {
	return errors.Is(err, outcome.ErrInterrupted) || errors.Is(err, outcome.ErrTimedOut)
}

// userAgent is how audit logs show the program. kubectl's own form, with a name
// that is easily found.
func (e *Environment) userAgent() string {
	return fmt.Sprintf("kubectl-csr_onboard/%s (%s/%s)", e.Build.Version, runtime.GOOS, runtime.GOARCH)
}

// Steps are the steps of a command, in their order.
type Steps interface {
	// Complete reads the arguments and flags.
	Complete(arguments []string) error
	// Connection says which of kubectl's own flags the command uses.
	Connection() Connection
	// Validate refuses flags that make no sense together. It only looks.
	Validate() error
	// Run hands one input to a use case, and has its result rendered.
	Run(ctx context.Context) error
}

// Reader is a command whose flags name files or pipes. Read reads them once the flags make sense,
// so nobody waits at a pipe for a command that is refused, and refuses what does not fit the flags.
type Reader interface {
	Steps

	Read() error
}

// begin sets what the environment has of the command that runs.
func begin(e *Environment, cmd *cobra.Command) {
	e.FlagSet, e.Narrator = cmd.Flags(), render.NewNarrator(e.Streams.ErrOut, e.Now).Completing(ClusterFlagsOf(e))
}

// InSteps runs a command's steps up to the first that fails.
func (e *Environment) InSteps(s Steps) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, arguments []string) (err error) {
		begin(e, cmd)
		defer e.Narrator.Close()
		defer func() { err = CompleteHint(e, err) }()
		if err := s.Complete(arguments); err != nil {
			return err
		}
		if err := s.Connection().check(cmd, e); err != nil {
			return err
		}
		if err := s.Validate(); err != nil {
			return err
		}
		if err := refuseEmpty(cmd); err != nil {
			return err
		}
		if reader, reads := s.(Reader); reads {
			if err := reader.Read(); err != nil {
				return err
			}
		}
		return e.Run(cmd.Context(), s)
	}
}

// NoArguments refuses arguments; where a command was meant, with a suggestion.
func NoArguments(cmd *cobra.Command, arguments []string) error {
	switch {
	case len(arguments) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		return unknownCommand(cmd, arguments[0])
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "%s accepts no arguments, got %q", strings.TrimPrefix(cmd.CommandPath(), Program+" "), arguments[0]),
		"see: %s --help", cmd.CommandPath())
}

// unknownCommand is the error of a name that no command below a command has, with a suggestion.
func unknownCommand(cmd *cobra.Command, name string) error {
	err := outcome.Errorf(outcome.ErrUsage, "unknown command %q", name)
	if cmd.HasParent() {
		err = outcome.Errorf(outcome.ErrUsage, "unknown command %q of %s", name, cmd.Name())
	} else if lead := leadFrom(name); lead != "" {
		return outcome.WithHint(err, "%s", lead)
	}
	// Letters that may be wrong in a command for it to be suggested.
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return outcome.WithHint(err, "did you mean: %s %s", cmd.CommandPath(), strings.Join(near, ", "))
	}
	return outcome.WithHint(err, "see: %s --help", cmd.CommandPath())
}

// leadFrom is what to run in place of a command that people try and that does not exist; "" where
// that is unknown.
func leadFrom(command string) string {
	switch command {
	case "block":
		return "to remove a user's access, and make the API server refuse every write of the user: " + Program + " offboard NAME --block"
	case "unblock":
		return "to undo offboard --block: " + Program + " offboard NAME --unblock"
	case "delete", "remove", "undo":
		return "to remove a user's access: " + Program + " offboard NAME; to refuse a certificate as well: " + Program + " revoke NAME"
	case "add", "create", "request":
		return "to onboard a user: " + Program + " new-user NAME"
	case "import", "submit":
		return "to submit and approve a request in a file: " + Program + " approve -f FILE"
	case "whoami":
		return "to see the user that a kubeconfig logs in as: kubectl auth whoami, or " + Program + " status"
	}
	return ""
}

// OneName takes exactly one NAME.
func OneName(cmd *cobra.Command, arguments []string) error {
	switch {
	case len(arguments) == 0:
		return missingName(cmd)
	case len(arguments) > 1:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%s accepts one NAME, got %d: %q", cmd.Name(), len(arguments), arguments),
			"quote a name with spaces; one user at a time")
	}
	return nil
}

func missingName(cmd *cobra.Command) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "the user's NAME is missing"),
		"for example: %s jane", cmd.CommandPath())
}
