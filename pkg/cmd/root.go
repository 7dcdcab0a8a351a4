// Package cmd is the command line: one file a command, each with the three
// steps of a kubectl command: Complete reads the environment, Validate only
// looks, Run hands one input to a use case of package onboard and has its
// result rendered.
//
// It is the only importer of cobra. Nothing here exits: Execute returns the
// exit code.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// program is what people type to get here.
const program = "kubectl csr-onboard"

// Build says which build of the program this is.
type Build struct {
	// Version is the release, such as "v0.1.0".
	Version string
	// Commit is the commit it was built from; empty if unknown.
	Commit string
	// Date is the commit's date, RFC 3339; empty if unknown.
	Date string
}

// environment is what every command takes from outside.
type environment struct {
	streams genericiooptions.IOStreams
	flags   *genericclioptions.ConfigFlags
	// kubeconfig is what rawKubeconfig has read; nil before.
	kubeconfig clientcmd.ClientConfig
	build      Build
	now        func() time.Time
	home       func() string
	// interrupted is closed when the person does not want to wait any longer.
	interrupted <-chan struct{}
	// run is the last of a command's steps; tests end before it.
	run func(context.Context, steps) error
}

// inputs reads what a person names.
func (e *environment) inputs() store.Inputs {
	return store.Inputs{Stdin: e.streams.In, Interrupted: e.interrupted}
}

// isWaitOver reports whether an input was not waited for any longer, which says nothing
// about what is in it.
func isWaitOver(err error) bool {
	return errors.Is(err, outcome.ErrInterrupted) || errors.Is(err, outcome.ErrTimedOut)
}

// Execute runs the program with the arguments behind its name and returns its
// exit code.
func Execute(ctx context.Context, arguments []string, streams genericiooptions.IOStreams, build Build) int {
	root := newRoot(ctx.Done(), streams, build, commandsFor(arguments))
	root.SetArgs(arguments)
	err := root.ExecuteContext(ctx)
	if err != nil {
		render.Failure(streams.ErrOut, err)
	}
	return ExitCode(err)
}

// Tree is the program's command tree, for what documents it.
func Tree(build Build) *cobra.Command {
	return newRoot(nil, genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}, build, commands)
}

// commands are all commands by their names, in the order of their story.
var commands = []namedCommand{
	{"new-user", newNewUser}, {"approve", newApprove}, {"deny", newDeny}, {"fetch", newFetch}, {"renew", newRenew},
	{answer.Command, newCredential}, {"status", newStatus}, {"list", newList}, {"sign", newSign}, {"grant", newGrant},
	{"offboard", newOffboard}, {"doctor", newDoctor}, {completionCommand, newCompletion}, {"version", newVersion},
}

type namedCommand struct {
	name string
	make func(*environment) *cobra.Command
}

// commandsFor are the commands that arguments may need: the one that they name first,
// which others are not made beside, or all.
func commandsFor(arguments []string) []namedCommand {
	for i := range commands {
		if len(arguments) > 0 && arguments[0] == commands[i].name {
			return commands[i : i+1]
		}
	}
	return commands
}

// newRoot makes the command tree.
func newRoot(interrupted <-chan struct{}, streams genericiooptions.IOStreams, build Build, commands []namedCommand) *cobra.Command {
	env := &environment{
		streams:     streams,
		flags:       genericclioptions.NewConfigFlags(false),
		build:       build,
		now:         time.Now,
		home:        homeDirectory,
		interrupted: interrupted,
		run:         func(ctx context.Context, s steps) error { return s.Run(ctx) },
	}
	return newRootIn(env, commands)
}

// newRootIn makes the command tree in an environment.
func newRootIn(env *environment, commands []namedCommand) *cobra.Command {
	streams := env.streams
	root := &cobra.Command{
		Use:   "kubectl-csr_onboard",
		Short: "Onboard users with client certificates",
		Long: `Onboard a user from her name to a kubeconfig that has logged in.

new-user makes a private key and a certificate signing request and submits it,
approve shows an administrator what is in the request before she approves it,
and fetch waits for the certificate, checks it, and writes the kubeconfig.

renew gives a certificate that is going to end a successor, and with fetch --exec that
is nobody's work any more. status says how long each context of a kubeconfig is good.

new-user --filename takes a whole team. list and deny are approve's companions. grant
gives a user a role, and offboard takes her access away again. A user without access
sends her request as a file (new-user --offline, approve --filename, fetch --from), and
sign signs it where no cluster is. doctor finds out why a cluster does not sign.

` + exitCodes,
		Example: `  # A user, or somebody for her, asks for access
  kubectl csr-onboard new-user jane --group dev

  # An administrator looks and approves
  kubectl csr-onboard approve jane

  # The kubeconfig, proven by logging in
  kubectl csr-onboard fetch jane

  # All three at once, for an administrator
  kubectl csr-onboard new-user jane --group dev --approve`,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: program},
		// Letters that may be wrong in a command for it to be suggested.
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args:                       noArguments,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%w", err), "see: %s --help", cmd.CommandPath())
	})
	// There is no discovery here, and so no cache of it.
	env.flags.CacheDir = nil
	env.flags.AddFlags(root.PersistentFlags())
	// With the connection flags of kubectl come no completions of theirs.
	for flag, complete := range map[string]cobra.CompletionFunc{
		"namespace": env.completeFromCluster(namespaces),
		"context":   env.completeFromKubeconfig(contextNames),
		"cluster":   env.completeFromKubeconfig(clusterNames),
		"user":      env.completeFromKubeconfig(userNames),
	} {
		_ = root.RegisterFlagCompletionFunc(flag, complete)
	}
	for _, command := range commands {
		root.AddCommand(command.make(env))
	}
	return root
}

// userAgent is how audit logs show the program. kubectl's own form, with a name
// that is easily found.
func (e *environment) userAgent() string {
	return fmt.Sprintf("kubectl-csr_onboard/%s (%s/%s)", e.build.Version, runtime.GOOS, runtime.GOARCH)
}

// steps are the three steps of a command: Complete reads the arguments and the
// environment, Validate only looks, Run does it.
type steps interface {
	Complete(arguments []string) error
	// connection says which of kubectl's own flags are kept; it is asked after Complete.
	connection() connection
	Validate() error
	Run(ctx context.Context) error
}

// inSteps runs a command's steps up to the first that fails.
func (e *environment) inSteps(s steps) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, arguments []string) error {
		if err := s.Complete(arguments); err != nil {
			return err
		}
		if err := s.connection().check(cmd, e); err != nil {
			return err
		}
		if err := s.Validate(); err != nil {
			return err
		}
		if err := refuseEmpty(cmd); err != nil {
			return err
		}
		return e.run(cmd.Context(), s)
	}
}

// noArguments refuses arguments; where a command was meant, with a suggestion.
func noArguments(cmd *cobra.Command, arguments []string) error {
	switch {
	case len(arguments) == 0:
		return nil
	case cmd.HasParent():
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%s takes no argument, and there is %q", cmd.Name(), arguments[0]),
			"see: %s --help", cmd.CommandPath())
	}
	err := outcome.Errorf(outcome.ErrUsage, "there is no command %q", arguments[0])
	if near := cmd.SuggestionsFor(arguments[0]); len(near) > 0 {
		return outcome.WithHint(err, "did you mean: %s %s", cmd.CommandPath(), strings.Join(near, ", "))
	}
	return outcome.WithHint(err, "see: %s --help", cmd.CommandPath())
}

// oneName takes exactly one NAME.
func oneName(cmd *cobra.Command, arguments []string) error {
	switch {
	case len(arguments) == 0:
		return missingName(cmd)
	case len(arguments) > 1:
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%s takes one NAME, and there are %d: %q", cmd.Name(), len(arguments), arguments),
			"quote a name with spaces; one user at a time")
	}
	return nil
}

func missingName(cmd *cobra.Command) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "the user's NAME is missing"),
		"for example: %s jane", cmd.CommandPath())
}
