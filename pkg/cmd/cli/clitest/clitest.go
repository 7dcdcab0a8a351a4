// Package clitest runs a command up to the step before its use case, for tests of what a command
// line means. Nothing is asked of a cluster.
package clitest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
)

// Home is the home directory of a command that Run runs.
const Home = "home"

// Run parses a command line, given without the command's name, and returns the command's steps as
// they are before its use case, or the error that ends them earlier. Nobody is at a terminal, and
// standard input is empty.
func Run[S cli.Steps](t *testing.T, newCommand func(*cli.Environment) *cobra.Command, arguments ...string) (steps S, err error) {
	t.Helper()
	env := &cli.Environment{
		Streams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: new(bytes.Buffer), ErrOut: new(bytes.Buffer)},
		Flags:   genericclioptions.NewConfigFlags(false),
		Now:     time.Now,
		Home:    func() string { return Home },
		Run: func(_ context.Context, s cli.Steps) error {
			steps = s.(S)
			return nil
		},
	}
	env.Flags.CacheDir = nil
	root := &cobra.Command{Use: "root", SilenceErrors: true, SilenceUsage: true}
	env.Flags.AddFlags(root.PersistentFlags())
	command := newCommand(env)
	root.AddCommand(command)
	root.SetArgs(append([]string{command.Name()}, arguments...))
	err = root.ExecuteContext(t.Context())
	return steps, err
}
