package cluster

import (
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// Credentials are what a client logs in with. The zero value is nothing.
type Credentials struct {
	certificate, key         []byte
	certificateFile, keyFile string
	token, tokenFile         string
	username, password       string
	impersonate              rest.ImpersonationConfig
	exec                     *clientcmdapi.ExecConfig
	provider                 *clientcmdapi.AuthProviderConfig
	providerCache            rest.AuthProviderConfigPersister
}

// ByCertificate are credentials that are a client certificate and its key.
func ByCertificate(credentials kubeconfig.Credentials) Credentials {
	return Credentials{certificate: credentials.Certificate, key: credentials.Key}
}

// credentialsOf takes from a configuration what it logs in with.
func credentialsOf(config *rest.Config) Credentials {
	return Credentials{
		certificate: config.CertData, key: config.KeyData,
		certificateFile: config.CertFile, keyFile: config.KeyFile,
		token: config.BearerToken, tokenFile: config.BearerTokenFile,
		username: config.Username, password: config.Password,
		impersonate:   config.Impersonate,
		exec:          config.ExecProvider,
		provider:      config.AuthProvider,
		providerCache: config.AuthConfigPersister,
	}
}

// addTo has a configuration log in with the credentials.
func (c Credentials) addTo(config *rest.Config) {
	config.CertData, config.KeyData = c.certificate, c.key
	config.CertFile, config.KeyFile = c.certificateFile, c.keyFile
	config.BearerToken, config.BearerTokenFile = c.token, c.tokenFile
	config.Username, config.Password = c.username, c.password
	config.Impersonate = c.impersonate
	config.ExecProvider = c.exec
	config.AuthProvider, config.AuthConfigPersister = c.provider, c.providerCache
}
