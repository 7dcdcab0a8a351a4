package cmd

import (
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/homedir"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
)

func homeDirectory() string { return homedir.HomeDir() }

// connect makes the program that a command's flags ask for. Nothing is sent
// yet.
func (e *environment) connect(narrator *render.Narrator) (*onboard.Program, error) {
	config, clusterName, err := e.configuration()
	if err != nil {
		return nil, err
	}
	client, err := cluster.Connect(config, clusterName, e.userAgent(), narrator.Warn)
	if err != nil {
		return nil, err
	}
	return &onboard.Program{
		Cluster:   client,
		Version:   e.build.Version,
		UserAgent: e.userAgent(),
		Now:       e.now,
		Tell:      narrator.Tell,
	}, nil
}

// configuration reads the kubeconfig as kubectl would and finds the name that
// the cluster has in it.
func (e *environment) configuration() (*rest.Config, string, error) {
	loader := e.flags.ToRawKubeConfigLoader()
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, "", outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the kubeconfig can't be read: %w", err),
			"check --kubeconfig and KUBECONFIG")
	}
	contextName := raw.CurrentContext
	if *e.flags.Context != "" {
		contextName = *e.flags.Context
		if _, exists := raw.Contexts[contextName]; !exists {
			return nil, "", outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "there is no context %q in the kubeconfig", contextName),
				"see which there are: kubectl config get-contexts")
		}
	}
	config, err := loader.ClientConfig()
	if err != nil {
		if clientcmd.IsEmptyConfig(err) || errors.Is(err, rest.ErrNotInCluster) {
			return nil, "", outcome.WithHint(
				errors.New("there is no kubeconfig that says which cluster to use"),
				"set KUBECONFIG, or use --kubeconfig FILE or --server URL")
		}
		return nil, "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the kubeconfig can't be used: %w", err),
			"check --context, --cluster and --user against: kubectl config view")
	}
	clusterName := "kubernetes"
	if context, exists := raw.Contexts[contextName]; exists && context.Cluster != "" {
		clusterName = context.Cluster
	}
	if *e.flags.ClusterName != "" {
		clusterName = *e.flags.ClusterName
	}
	return config, clusterName, nil
}

// namespace is what the person gave with -n, or "".
func (e *environment) namespace() string {
	if e.flags.Namespace == nil {
		return ""
	}
	return *e.flags.Namespace
}

// printLine writes one line of data to standard output.
func (e *environment) printLine(format string, arguments ...any) error {
	_, err := fmt.Fprintf(e.streams.Out, format+"\n", arguments...)
	return err
}
