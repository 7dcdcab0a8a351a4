package pair

import (
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// CachedCertificate is the certificate, in PEM, in the credential cache that a user entry
// logs in from; nil where it logs in with something else, or the cache cannot be read.
func CachedCertificate(user *clientcmdapi.AuthInfo) []byte {
	if user == nil {
		return nil
	}
	directory := kubeconfig.CacheOf(user)
	if directory == "" {
		return nil
	}
	held, err := ReadCache(store.CredentialCacheAt(directory))
	if err != nil {
		return nil
	}
	return held.Credentials.Certificate
}

// ReadCertificate reads the certificate that a user entry logs in with, and not its key,
// which may be what is wrong with the entry. It is nil where there is none to be read. The
// entry's paths are absolute.
func ReadCertificate(user *clientcmdapi.AuthInfo) *pki.Certificate {
	if user == nil {
		return nil
	}
	encoded := user.ClientCertificateData
	if directory := kubeconfig.CacheOf(user); directory != "" {
		data, err := store.ReadFile(store.CredentialCacheAt(directory).KubeconfigPath())
		if err != nil {
			return nil
		}
		_, _, credentials, err := kubeconfig.DecodeOwn(data)
		if err != nil {
			return nil
		}
		encoded = credentials.Certificate
	} else if user.ClientCertificate != "" {
		var err error
		if encoded, err = store.ReadFile(user.ClientCertificate); err != nil {
			return nil
		}
	}
	encoded, _ = pki.SplitPair(encoded, nil)
	certificate, err := pki.ParseCertificate(encoded)
	if err != nil {
		return nil
	}
	return certificate
}
