package cli

import (
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
)

// describeLogin says what the flags' context is called, and which certificate it logs in
// with where csr-onboard hands that out.
func (e *Environment) describeLogin() cluster.Login {
	raw, err := e.RawKubeconfig()
	if err != nil {
		return cluster.Login{}
	}
	name := raw.CurrentContext
	if *e.Flags.Context != "" {
		name = *e.Flags.Context
	}
	if *e.Flags.AuthInfoName != "" {
		// The context's own user is not meant.
		return cluster.Login{Cached: pair.CachedCertificate(raw.AuthInfos[*e.Flags.AuthInfoName])}
	}
	if *e.Flags.CertFile != "" {
		return cluster.Login{}
	}
	return loginOf(raw, name)
}

// loginOf is what the context of a name logs in with.
func loginOf(raw clientcmdapi.Config, name string) cluster.Login {
	login := cluster.Login{Context: name}
	if context, exists := raw.Contexts[name]; exists {
		login.Cached = pair.CachedCertificate(raw.AuthInfos[context.AuthInfo])
	}
	return login
}
