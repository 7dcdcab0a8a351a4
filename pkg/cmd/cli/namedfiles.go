package cli

import (
	"cmp"
	"crypto/tls"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// loader reads the kubeconfig as kubectl would. clientcmd opens files itself, waits at
// named pipes where nothing interrupts it, and reads devices without a limit: files that
// would make it do so are refused before.
func (e *Environment) loader() (clientcmd.ClientConfig, error) {
	loader := e.Flags.ToRawKubeConfigLoader()
	for _, file := range loader.ConfigAccess().GetLoadingPrecedence() {
		if isOfShell(file) {
			continue
		}
		if err := store.CheckNamedFile(file); err != nil {
			return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the kubeconfig cannot be read: %w", err),
				"check --kubeconfig and KUBECONFIG")
		}
	}
	return loader, nil
}

// isOfShell reports whether a file is what a shell has made of another command, <(…), or
// standard input: a pipe whose other end is open already.
func isOfShell(path string) bool {
	return path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/")
}

// checkNamedFiles refuses a file that a cluster or user of a kubeconfig names, and that
// would make its reader wait or run out of memory.
func checkNamedFiles(cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) error {
	cluster, user = cmp.Or(cluster, &clientcmdapi.Cluster{}), cmp.Or(user, &clientcmdapi.AuthInfo{})
	for _, named := range []struct{ field, file string }{
		{"certificate-authority", cluster.CertificateAuthority},
		{"client-certificate", user.ClientCertificate},
		{"client-key", user.ClientKey},
		{"tokenFile", user.TokenFile},
	} {
		if named.file == "" {
			continue
		}
		if err := store.CheckNamedFile(named.file); err != nil {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the %s of the kubeconfig cannot be used: %w", named.field, err),
				"check it against: kubectl config view")
		}
	}
	return nil
}

// checkCredentials is the hint where a kubeconfig's certificates or keys are damaged.
const checkCredentials = "check the certificates and the key against: kubectl config view; or choose another context: --context NAME"

// checkNamedPair refuses files that are not a client certificate and its key. client-go would only
// notice while it connects, as if the API server could not be reached. Content in the kubeconfig
// precedes files, and client-go checks it before it connects.
func checkNamedPair(config rest.TLSClientConfig) error {
	if config.CertFile == "" || config.KeyFile == "" || len(config.CertData) > 0 || len(config.KeyData) > 0 {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(config.CertFile, config.KeyFile); err != nil {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the client certificate %q and the key %q cannot be used: %w", config.CertFile, config.KeyFile, err),
			checkCredentials)
	}
	return nil
}

// checkFilesOfFlags is checkNamedFiles for the cluster and user that the flags choose, and for
// the files that flags name.
func (e *Environment) checkFilesOfFlags(raw clientcmdapi.Config, context *clientcmdapi.Context) error {
	context = cmp.Or(context, &clientcmdapi.Context{})
	err := checkNamedFiles(
		raw.Clusters[cmp.Or(*e.Flags.ClusterName, context.Cluster)],
		raw.AuthInfos[cmp.Or(*e.Flags.AuthInfoName, context.AuthInfo)])
	if err != nil {
		return err
	}
	return checkNamedFiles(
		&clientcmdapi.Cluster{CertificateAuthority: *e.Flags.CAFile},
		&clientcmdapi.AuthInfo{ClientCertificate: *e.Flags.CertFile, ClientKey: *e.Flags.KeyFile})
}
