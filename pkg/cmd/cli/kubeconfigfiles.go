package cli

import (
	"errors"
	"io/fs"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// KubeconfigToWrite is the file to which kubectl config adds a new entry: that of
// --kubeconfig, or of the files in KUBECONFIG the first that exists and otherwise the
// last, or ~/.kube/config (client-go tools/clientcmd PathOptions.GetDefaultFilename).
// Where kubectl finds no file to write to, because KUBECONFIG ends with an empty
// element, that is wrong usage.
func (e *Environment) KubeconfigToWrite() (string, error) {
	options := clientcmd.NewDefaultPathOptions()
	options.LoadingRules.ExplicitPath = *e.Flags.KubeConfig
	path := options.GetDefaultFilename()
	if path == "" {
		return "", outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "invalid KUBECONFIG: no file in it exists, and the last element, which would be created, is empty"),
			"remove the separator at its end, or name a file: --kubeconfig FILE")
	}
	return path, nil
}

// VisibleKubeconfig is what kubectl sees of all kubeconfig files together. A file of
// --kubeconfig that does not exist is empty, as it is for kubectl config, which creates it.
func (e *Environment) VisibleKubeconfig() (*clientcmdapi.Config, error) {
	visible, err := e.RawKubeconfig()
	if errors.Is(err, fs.ErrNotExist) {
		return clientcmdapi.NewConfig(), nil
	}
	return &visible, err
}
