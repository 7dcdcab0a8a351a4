package cli

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
)

// writeConfig writes a kubeconfig whose context is x, of the user u and of a cluster c with fields.
func writeConfig(t *testing.T, cluster, context string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {" + cluster + "}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: x, context: {" + context + "}}]\ncurrent-context: x\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfiguration_TheClusterIsThatOfTheContextAndOfTheFlags(t *testing.T) {
	const reached = "server: 'https://127.0.0.1:1'"
	for about, test := range map[string]struct {
		change          func(*Environment)
		cluster, server string
	}{
		"the current context": {nil, "c", "https://127.0.0.1:1"},
		"--context":           {func(e *Environment) { *e.Flags.Context = "x" }, "c", "https://127.0.0.1:1"},
		"--cluster":           {func(e *Environment) { *e.Flags.ClusterName = "c" }, "c", "https://127.0.0.1:1"},
		"--server":            {func(e *Environment) { *e.Flags.APIServer = "https://127.0.0.1:2" }, "c", "https://127.0.0.1:2"},
	} {
		env := environmentOf(writeConfig(t, reached, "cluster: c, user: u"))
		if test.change != nil {
			test.change(env)
		}
		config, name, err := env.Configuration()
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		if name != test.cluster || config.Host != test.server || config.BearerToken != "t" {
			t.Errorf("%s: the cluster %q at %q, with the token %q", about, name, config.Host, config.BearerToken)
		}
	}
}

func TestConfiguration_WhatCannotBeUsedIsSaid(t *testing.T) {
	const reached = "server: 'https://127.0.0.1:1'"
	for about, test := range map[string]struct {
		cluster, context string
		change           func(*Environment)
		says             string
	}{
		"a context that is missing":         {reached, "cluster: c, user: u", func(e *Environment) { *e.Flags.Context = "y" }, `context "y" not found in the kubeconfig`},
		"a cluster that is missing":         {reached, "cluster: d, user: u", nil, `the context "x" is of the cluster "d", which the kubeconfig does not have`},
		"a cluster of the flag that is not": {reached, "cluster: c, user: u", func(e *Environment) { *e.Flags.ClusterName = "d" }, "the kubeconfig cannot be used"},
		"a server without TLS":              {"server: 'http://127.0.0.1:1'", "cluster: c, user: u", nil, "is not reached over TLS"},
		"a server of the flag, without TLS": {reached, "cluster: c, user: u", func(e *Environment) { *e.Flags.APIServer = "http://127.0.0.1:1" }, "is not reached over TLS"},
		"a proxy of another scheme":         {reached + ", proxy-url: 'ftp://p'", "cluster: c, user: u", nil, "invalid proxy-url of the cluster"},
		"a CA's file that is a directory":   {reached + ", certificate-authority: .", "cluster: c, user: u", nil, "the certificate-authority of the kubeconfig cannot be used"},
		"a key of the flag, a directory":    {reached, "cluster: c, user: u", func(e *Environment) { *e.Flags.KeyFile = t.TempDir() }, "--client-key "},
		"a CA of the flag, missing":         {reached, "cluster: c, user: u", func(e *Environment) { *e.Flags.CAFile = filepath.Join(t.TempDir(), "ca.crt") }, "--certificate-authority "},
		"a certificate's file without PEM":  {reached, "cluster: c, user: u", func(e *Environment) { *e.Flags.CertFile, *e.Flags.KeyFile = *e.Flags.KubeConfig, *e.Flags.KubeConfig }, "cannot be used: tls: failed to find any PEM data"},
		"a timeout that is not one":         {reached, "cluster: c, user: u", func(e *Environment) { *e.Flags.Timeout = "abc" }, `--request-timeout "abc" is not a valid duration`},
		"a CA that cannot be parsed":        {reached + ", certificate-authority-data: eA==", "cluster: c, user: u", nil, "unable to load root certificates"},
	} {
		env := environmentOf(writeConfig(t, test.cluster, test.context))
		if test.change != nil {
			test.change(env)
		}
		config, name, err := env.Configuration()
		if err == nil {
			_, err = env.client(config, name, nil)
		}
		if outcometest.Says(t, about, err, test.says); !errors.Is(err, outcome.ErrUsage) || outcome.Hint(err) == "" {
			t.Errorf("%s: %v is not wrong usage, or has no hint", about, err)
		}
	}
}

func TestRequestTimeout_ItIsThatOfTheFlagOrAnother(t *testing.T) {
	const otherwise = 7 * time.Second
	for text, want := range map[string]time.Duration{"": otherwise, "0": otherwise, "0s": otherwise, "5": 5 * time.Second, "1m": time.Minute} {
		env := environmentOf("")
		*env.Flags.Timeout = text
		if got, err := env.RequestTimeout(otherwise); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	env := environmentOf("")
	*env.Flags.Timeout = "never"
	_, err := env.RequestTimeout(otherwise)
	outcometest.Says(t, "never", err, `--request-timeout "never" is not a valid duration`, "--request-timeout 30s")
}
