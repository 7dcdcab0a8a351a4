// Package clitest runs a command up to the step before its use case, for tests of what a command
// line means. Nothing is asked of a cluster.
package clitest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
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

// Contexts makes a kubeconfig with the contexts dev and prod, of two clusters, that of the environment.
func Contexts(t *testing.T) {
	t.Helper()
	const text = `{"apiVersion": "v1", "kind": "Config",
"clusters": [{"name": "dev", "cluster": {"server": "https://127.0.0.1:1"}}, {"name": "prod", "cluster": {"server": "https://127.0.0.1:2"}}],
"users": [{"name": "u", "user": {}}],
"contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "u"}}, {"name": "prod", "context": {"cluster": "prod", "user": "u"}}]}`
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
}
