package options

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
)

// manyContexts has contexts of different clusters, two of one cluster, one without its cluster, and
// one with the name of a pattern.
const manyContexts = `apiVersion: v1
kind: Config
clusters:
- {name: a, cluster: {server: "https://127.0.0.1:1"}}
- {name: b, cluster: {server: "https://127.0.0.1:2"}}
- {name: c, cluster: {server: "https://127.0.0.1:3"}}
- {name: d, cluster: {server: "https://127.0.0.1:1", tls-server-name: d}}
users: [{name: u, user: {}}]
contexts:
- {name: dev, context: {cluster: a, user: u}}
- {name: prod-us, context: {cluster: c, user: u}}
- {name: prod-eu, context: {cluster: b, user: u}}
- {name: view-of-dev, context: {cluster: a, user: u}}
- {name: arn/prod-x, context: {cluster: d, user: u}}
- {name: "prod-[ab]", context: {cluster: d, user: u}}
- {name: "a,b", context: {cluster: d, user: u}}
- {name: lost, context: {cluster: nowhere, user: u}}
current-context: dev
`

// meant parses flags and finds the contexts that they mean.
func meant(t *testing.T, stdin string, arguments ...string) (names []string, _ error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(manyContexts), 0o600); err != nil {
		t.Fatal(err)
	}
	var errOut bytes.Buffer
	env := &cli.Environment{
		Streams: genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &errOut, ErrOut: &errOut}, Flags: genericclioptions.NewConfigFlags(false),
		Now: time.Now, Narrator: render.NewNarrator(&errOut, time.Now),
	}
	env.Flags.KubeConfig = &path
	cmd := &cobra.Command{}
	env.Flags.AddFlags(cmd.Flags())
	var f Clusters
	f.Add(cmd, env)
	if err := cmd.ParseFlags(arguments); err != nil {
		t.Fatal(err)
	}
	if err := f.Validate(); err != nil {
		return nil, err
	}
	if err := f.Read(env); err != nil {
		return nil, err
	}
	for _, on := range f.Each {
		if *on.Flags.Context != on.Cluster || *on.Flags.KubeConfig != path {
			t.Errorf("the environment of %q has the context %q of %q", on.Cluster, *on.Flags.Context, *on.Flags.KubeConfig)
		}
		names = append(names, on.Cluster)
	}
	return names, nil
}

func TestClusters_TheContextsThatAreMeant(t *testing.T) {
	file := filepath.Join(t.TempDir(), "contexts")
	if err := os.WriteFile(file, []byte("# production\nprod-??\n\n  dev  \r\na,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		stdin     string
		arguments []string
		want      []string
	}{
		{"", nil, nil},
		{"", []string{"--contexts", "prod-us,dev"}, []string{"prod-us", "dev"}},
		{"", []string{"--contexts", "prod-us", "--contexts", "dev"}, []string{"prod-us", "dev"}},
		{"", []string{"--contexts", "dev,prod-[eu]*"}, []string{"dev", "prod-eu", "prod-us"}},
		{"", []string{"--contexts", "prod-[ab]"}, []string{"prod-[ab]"}},
		{"", []string{"--contexts", "*/prod-*"}, []string{"arn/prod-x"}},
		{"", []string{"--contexts", `"a,b",lost`}, []string{"a,b", "lost"}},
		{"", []string{"--contexts-from", file}, []string{"prod-eu", "prod-us", "dev", "a,b"}},
		{"dev\nprod-us", []string{"--contexts-from", "-"}, []string{"dev", "prod-us"}},
		{"", []string{"--contexts", "dev", "--as", "x", "--request-timeout", "3s"}, []string{"dev"}},
	} {
		if got, err := meant(t, test.stdin, test.arguments...); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q and %v, want %q", test.arguments, got, err, test.want)
		}
	}
}

func TestClusters_WhatMeansNoClustersIsRefused(t *testing.T) {
	for _, test := range []struct {
		stdin, want string
		arguments   []string
	}{
		{"", "--contexts has an empty name", []string{"--contexts", ""}},
		{"", "--contexts has an empty name", []string{"--contexts", "dev,,prod-us"}},
		{"", `context "prod" of --contexts not found`, []string{"--contexts", "prod"}},
		{"", `context "dev\x1b(2J" of --contexts not found`, []string{"--contexts", "dev\x1b(2J"}},
		{"", `no context of the kubeconfig matches "stage-*" of --contexts`, []string{"--contexts", "stage-*"}},
		{"", `invalid pattern "prod-[" in --contexts`, []string{"--contexts", "prod-["}},
		{"", `names the context "dev" twice`, []string{"--contexts", "dev,dev"}},
		{"", `names the context "prod-eu" twice`, []string{"--contexts", "prod-eu,prod-??"}},
		{"", `the contexts "dev" and "view-of-dev" are of the same cluster`, []string{"--contexts", "dev,view-of-dev"}},
		{"", "--contexts and --contexts-from exclude each other", []string{"--contexts", "dev", "--contexts-from", "-"}},
		{"", "--contexts-from \"missing\": no such file or directory", []string{"--contexts-from", "missing"}},
		{"# nothing\n", "names no context", []string{"--contexts-from", "-"}},
		{"dev\nprod\n", `context "prod" of --contexts-from not found`, []string{"--contexts-from", "-"}},
		{"", "--context does nothing with --contexts", []string{"--contexts", "dev", "--context", "dev"}},
		{"", "--cluster and --server do nothing with --contexts", []string{"--contexts", "dev", "--server", "https://a", "--cluster", "a"}},
		{"dev", "--user and --token do nothing with --contexts-from", []string{"--contexts-from", "-", "--user", "u", "--token", "t"}},
	} {
		if got, err := meant(t, test.stdin, test.arguments...); outcome.ExitCode(err) != 2 || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %q and %v, want %q", test.arguments, got, err, test.want)
		}
	}
}
