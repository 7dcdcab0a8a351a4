// Package cmd is the command line: the root command, and one package below for each command or
// family of commands. See package cli for the steps of a command.
//
// It and the packages below it are the only importers of cobra. Nothing here exits: Execute returns
// the exit code.
package cmd

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/approve"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/doctor"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/fetch"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/grant"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/newuser"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/renew"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/sign"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
)

// Execute runs the program with the arguments behind its name and returns its
// exit code. now is the clock.
func Execute(ctx context.Context, arguments []string, streams genericiooptions.IOStreams, build buildinfo.Build, now func() time.Time) int {
	root := newRoot(ctx.Done(), streams, build, now, commandsFor(arguments))
	root.SetArgs(arguments)
	err := root.ExecuteContext(ctx)
	if err != nil {
		render.Failure(streams.ErrOut, err)
	}
	return ExitCode(err)
}

// Tree is the program's command tree, for what documents it.
func Tree(build buildinfo.Build) *cobra.Command {
	return newRoot(nil, genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}, build, func() time.Time { return time.Time{} }, commands)
}

// commands are all commands by their names, in the order of their story.
var commands = []namedCommand{
	{"new-user", forUsers, newuser.New}, {"fetch", forUsers, fetch.New}, {"renew", forUsers, renew.New},
	{answer.Command, forUsers, renew.NewCredential}, {"status", forUsers, renew.NewStatus},
	{"approve", forAdministrators, approve.New}, {"deny", forAdministrators, approve.NewDeny}, {"show", forAdministrators, approve.NewShow}, {"list", forAdministrators, approve.NewList},
	{"grant", forAdministrators, grant.New}, {"offboard", forAdministrators, grant.NewOffboard},
	{"revoke", forAdministrators, revoke.New}, {"unrevoke", forAdministrators, revoke.NewUndo}, {"revocations", forAdministrators, revoke.NewList},
	{"ledger", forAdministrators, audit.New},
	{"policy", forAdministrators, policy.New},
	{"sign", forCAServer, sign.New},
	{"doctor", forDiagnosis, doctor.New},
	{completionCommand, others, newCompletion}, {cli.OptionsCommand, others, cli.NewOptions}, {"version", others, newVersion},
}

type namedCommand struct {
	name string
	// group is the identifier of one of groups.
	group string
	make  func(*cli.Environment) *cobra.Command
}

// The identifiers of groups.
const (
	forUsers          = "users"
	forAdministrators = "administrators"
	forCAServer       = "ca-server"
	forDiagnosis      = "diagnosis"
	others            = "others"
)

// groups are the groups of commands, by who runs them, in the order of the help.
func groups() []*cobra.Group {
	return []*cobra.Group{
		{ID: forUsers, Title: "Commands for Users"},
		{ID: forAdministrators, Title: "Commands for Administrators"},
		{ID: forCAServer, Title: "Commands for a CA Server"},
		{ID: forDiagnosis, Title: "Diagnosis"},
		{ID: others, Title: "Other Commands"},
	}
}

// commandsFor are the commands that arguments may need: the one that they name first,
// without the others, or all.
func commandsFor(arguments []string) []namedCommand {
	for i := range commands {
		if len(arguments) > 0 && arguments[0] == commands[i].name {
			return commands[i : i+1]
		}
	}
	return commands
}

// newRoot makes the command tree.
func newRoot(interrupted <-chan struct{}, streams genericiooptions.IOStreams, build buildinfo.Build, now func() time.Time, chosen []namedCommand) *cobra.Command {
	env := &cli.Environment{
		Streams:     streams,
		Flags:       genericclioptions.NewConfigFlags(false),
		Build:       build,
		Now:         now,
		Home:        cli.HomeDirectory,
		Interrupted: interrupted,
		Run:         func(ctx context.Context, s cli.Steps) error { return s.Run(ctx) },
	}
	return newRootIn(env, chosen)
}

// newRootIn makes the command tree in an environment.
func newRootIn(env *cli.Environment, chosen []namedCommand) *cobra.Command {
	streams := env.Streams
	isVersionAsked := false
	root := &cobra.Command{
		Use:   "kubectl-csr_onboard",
		Short: "Onboard users with client certificates",
		Long: `Onboard users with client certificates: create a private key and a request, approve it, and write a
kubeconfig whose certificate was tested by logging in.

new-user creates a private key and a certificate signing request and submits it,
approve shows an administrator what is in the request before they approve it,
and fetch waits for the certificate, checks it, and writes the kubeconfig.

renew replaces a certificate before it expires; with fetch --exec, kubectl renews it. status
shows when the certificate of each context expires.

new-user --filename onboards a team. list and show print requests without a decision, and deny
denies them. grant gives a user a role, and offboard removes the user's access; revoke makes the API
servers refuse the user. ledger lists the certificates that the cluster has issued, and policy shows
what approval policies decide. A user without access to the cluster sends the
request as a file (new-user --offline, approve --filename, fetch --from). sign signs it
without the API. doctor finds out why a cluster does not sign.

` + cli.ExitCodes,
		Example: `  # Request a certificate, as the user or for the user
  kubectl csr-onboard new-user jane --group dev

  # Review the request and approve it, as an administrator
  kubectl csr-onboard approve jane

  # Fetch the kubeconfig, which has logged in
  kubectl csr-onboard fetch jane

  # All three in one command, as an administrator
  kubectl csr-onboard new-user jane --group dev --approve`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: cli.Program},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if isVersionAsked {
				return env.InSteps(&versionOptions{Environment: env, Client: true})(cmd, nil)
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&isVersionAsked, "version", false, "print the version of csr-onboard, as version --client does")
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { cli.PrintHelp(cmd) })
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%w", err), "see: %s --help", cmd.CommandPath())
	})
	// Discovery is not used here, and so it has no cache.
	env.Flags.CacheDir = nil
	cli.AddConnectionFlags(root, env)
	// With the connection flags of kubectl come no completions of theirs.
	for flag, complete := range map[string]cobra.CompletionFunc{
		"namespace": cli.CompleteFromCluster(env, cli.Namespaces),
		"context":   cli.CompleteFromKubeconfig(env, cli.ContextNames),
		"cluster":   cli.CompleteFromKubeconfig(env, cli.ClusterNames),
		"user":      cli.CompleteFromKubeconfig(env, cli.UserNames),
	} {
		_ = root.RegisterFlagCompletionFunc(flag, complete)
	}
	root.AddGroup(groups()...)
	root.SetHelpCommandGroupID(others)
	for _, command := range chosen {
		made := command.make(env)
		made.GroupID = command.group
		root.AddCommand(made)
	}
	cli.RefuseUnknownTopics(root)
	return root
}
