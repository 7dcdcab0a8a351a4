package onboard

import (
	"bytes"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Complete is the certificate with which the kubeconfig at a destination logs in, if
// that kubeconfig is what would be written there, and the certificate good: for the
// user and her groups, for the private key, and not ended. It is nil otherwise.
func Complete(d *Destination, now time.Time) *pki.Certificate {
	encoded, err := store.ReadFileOf(store.UserKubeconfig, d.Path)
	if err != nil {
		return nil
	}
	config, err := kubeconfig.Decode(encoded)
	if err != nil {
		return nil
	}
	user := config.AuthInfos[d.names.Context]
	if user == nil {
		return nil
	}
	credentials := kubeconfig.Credentials{Certificate: user.ClientCertificateData, Key: user.ClientKeyData}
	cached := *d
	if d.Exec {
		cached.cache = store.CredentialCacheAt(kubeconfig.CacheOf(user))
		held, err := pair.ReadCache(cached.cache)
		if err != nil {
			return nil
		}
		credentials = held.Credentials
	}
	wanted, err := cached.alone(d.assemble(credentials))
	if err != nil || !bytes.Equal(wanted, encoded) {
		return nil
	}
	key, err := pki.ParseKey(credentials.Key)
	if err != nil {
		return nil
	}
	certificate, err := pki.ParseCertificate(credentials.Certificate)
	if err != nil || pki.Match(certificate, key.Public(), d.user, now) != nil {
		return nil
	}
	return certificate
}
