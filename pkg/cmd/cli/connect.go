package cli

import (
	"errors"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/process"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
)

// Connect makes the program that a command's flags ask for. Nothing is sent
// yet.
func (e *Environment) Connect() (*onboard.Program, error) {
	config, clusterName, err := e.Configuration()
	if err != nil {
		return nil, err
	}
	client, err := e.client(config, clusterName, e.Narrator.Warn)
	if err != nil {
		return nil, err
	}
	client.DescribeLogin(e.describeLogin)
	program := e.WithoutCluster()
	program.Cluster = client
	return program, nil
}

var errRunsPrograms = errors.New("logging in would run another program")

// connectAlone is Connect without running any program to log in. Where the kubeconfig
// has csr-onboard log in, it does that here, with the pair that its cache holds now.
func (e *Environment) connectAlone(narrator *render.Narrator) (*onboard.Program, error) {
	config, clusterName, err := e.Configuration()
	if err != nil {
		return nil, err
	}
	login := &clientcmdapi.AuthInfo{Exec: config.ExecProvider, AuthProvider: config.AuthProvider}
	config.ExecProvider, config.AuthProvider = nil, nil
	client, err := e.client(config, clusterName, narrator.Warn)
	if err != nil {
		return nil, err
	}
	program := e.programTelling(narrator)
	program.Cluster = client
	switch {
	case login.AuthProvider != nil, login.Exec != nil && (kubeconfig.CacheOf(login) == "" || !process.IsSelf(login.Exec.Command)):
		return nil, errRunsPrograms
	case login.Exec != nil:
		return program, program.LogInFromCache(kubeconfig.CacheOf(login))
	}
	return program, nil
}

// client makes a client from a configuration. Nothing is sent yet. warn gets each warning
// that the server sends.
func (e *Environment) client(config *rest.Config, clusterName string, warn func(string)) (*cluster.Client, error) {
	if err := checkNamedPair(config.TLSClientConfig); err != nil {
		return nil, err
	}
	target, credentials, err := cluster.FromKubeconfig(config, clusterName)
	if err != nil {
		return nil, err
	}
	target.UserAgent, target.Warn, target.Now = e.userAgent(), warn, e.Now
	if e.Verbosity > 0 {
		target.Trace = func(call cluster.Call) { e.Narrator.Tell(onboard.Called{Call: call}) }
	}
	client, err := cluster.New(target, credentials)
	if err != nil {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%w", err), checkCredentials)
	}
	return client, nil
}

// WithoutCluster makes a program for what needs no cluster.
func (e *Environment) WithoutCluster() *onboard.Program { return e.programTelling(e.Narrator) }

func (e *Environment) programTelling(narrator *render.Narrator) *onboard.Program {
	return &onboard.Program{
		Version:   e.Build.Version,
		UserAgent: e.userAgent(),
		Now:       e.Now,
		Tell:      narrator.Tell,
	}
}

// EndpointOfFlags is the cluster that kubectl's own flags describe, without any
// kubeconfig.
func (e *Environment) EndpointOfFlags() (*kubeconfig.Endpoint, error) {
	endpoint := &kubeconfig.Endpoint{
		Cluster:            defaultClusterName,
		Server:             kubeconfig.NormalServer(*e.Flags.APIServer),
		ServerName:         *e.Flags.TLSServerName,
		InsecureSkipVerify: *e.Flags.Insecure,
	}
	authority := *e.Flags.CAFile
	if authority == "" {
		return endpoint, nil
	}
	data, err := readNamed(e, authority)
	if IsWaitOver(err) {
		return nil, outcome.OfFile("--certificate-authority", authority, err)
	}
	if err == nil {
		var parsed *pki.Certificate
		if parsed, err = pki.ParseCertificate(data); err == nil {
			endpoint.CertificateAuthority = parsed.PEM
		}
	}
	if err != nil {
		return nil, outcome.BadFile("--certificate-authority", authority, err)
	}
	return endpoint, nil
}

// defaultClusterName is what a cluster is called that has no name of its own.
const defaultClusterName = "kubernetes"

// RequestTimeout is kubectl's own --request-timeout, or otherwise where that says
// nothing.
func (e *Environment) RequestTimeout(otherwise time.Duration) (time.Duration, error) {
	text := *e.Flags.Timeout
	if text == "" || text == "0" {
		return otherwise, nil
	}
	timeout, err := clientcmd.ParseTimeout(text)
	if err != nil {
		return 0, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--request-timeout %q is not a valid duration", text),
			"write seconds, or a number with its unit, for example: --request-timeout 30s")
	}
	if timeout == 0 {
		return otherwise, nil
	}
	return timeout, nil
}

// Configuration reads the kubeconfig as kubectl would and finds the name that
// the cluster has in it.
func (e *Environment) Configuration() (*rest.Config, string, error) {
	// clientcmd would find an invalid --request-timeout, and call it a fault of the kubeconfig.
	if _, err := e.RequestTimeout(0); err != nil {
		return nil, "", err
	}
	raw, err := e.RawKubeconfig()
	if err != nil {
		return nil, "", err
	}
	contextName := raw.CurrentContext
	if *e.Flags.Context != "" {
		contextName = *e.Flags.Context
		if _, exists := raw.Contexts[contextName]; !exists {
			return nil, "", outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "context %q not found in the kubeconfig", contextName),
				"see which there are: kubectl config get-contexts")
		}
	}
	if context, exists := raw.Contexts[contextName]; exists && *e.Flags.ClusterName == "" && *e.Flags.APIServer == "" {
		if _, exists := raw.Clusters[context.Cluster]; !exists {
			return nil, "", outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "the context %q is of the cluster %q, which the kubeconfig does not have", contextName, context.Cluster),
				"choose another context: --context NAME; see which there are: kubectl config get-contexts")
		}
	}
	if err := e.checkFilesOfFlags(raw, raw.Contexts[contextName]); err != nil {
		return nil, "", err
	}
	clusterName := defaultClusterName
	if context, exists := raw.Contexts[contextName]; exists && context.Cluster != "" {
		clusterName = context.Cluster
	}
	if *e.Flags.ClusterName != "" {
		clusterName = *e.Flags.ClusterName
	}
	if err := checkAddresses(raw, clusterName, *e.Flags.APIServer, *e.Flags.ProxyURL); err != nil {
		return nil, "", err
	}
	config, err := e.kubeconfig.ClientConfig()
	if err != nil {
		return nil, "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the kubeconfig cannot be used: %w", err),
			"check --context, --cluster and --user against: kubectl config view")
	}
	if err := readPipes(e, config); err != nil {
		return nil, "", err
	}
	if err := checkServer(config.Host, raw, contextName); err != nil {
		return nil, "", err
	}
	return config, clusterName, nil
}

// ErrNoKubeconfig is the error where nothing says which cluster is meant.
var ErrNoKubeconfig = errors.New("no kubeconfig found that says which cluster to use")

// checkServer refuses a server that is not reached over TLS: client
// certificates mean nothing there. http://localhost:8080 is what clientcmd falls
// back to where nothing says which server to use (clientcmd.ClusterDefaults).
func checkServer(server string, raw clientcmdapi.Config, contextName string) error {
	switch {
	case kubeconfig.IsHTTPS(server):
		return nil
	case clientcmdapi.IsConfigEmpty(&raw):
		return outcome.WithHint(ErrNoKubeconfig, "set KUBECONFIG, or use --kubeconfig FILE")
	case contextName == "":
		return outcome.WithHint(
			errors.New("the kubeconfig has no current context"),
			"choose one: --context NAME, or kubectl config use-context NAME")
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "the API server %q is not reached over TLS, and client certificates need it", kubeconfig.ShownAddress(server)),
		"use an https address in the kubeconfig or in --server")
}
