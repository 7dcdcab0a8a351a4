package destination

import (
	"fmt"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// checkNoLaterPair refuses to put a certificate in the place of a pair of another key that
// does not expire earlier, unless the person said so. That pair was renewed since, and its key is
// nowhere else. A certificate for the same key takes nothing away: it was asked for.
func (e *entries) checkNoLaterPair(configs ...*clientcmdapi.Config) error {
	if e.incoming == nil || e.overwrite {
		return nil
	}
	for _, config := range configs {
		user := config.AuthInfos[e.names.Context]
		if user == nil || e.isSameCache(user) {
			continue
		}
		if standing := certificateOf(user); standing != nil && isLater(standing, e.incoming) {
			return laterPairKept(standing, e.incoming, fmt.Sprintf("the user %s in the kubeconfig %q", identity.Quote(e.names.Context), e.path))
		}
	}
	return nil
}

// isSameCache reports whether a user entry logs in from the credential cache that is written, too:
// whatever a renewal puts there stays in use.
func (e *entries) isSameCache(user *clientcmdapi.AuthInfo) bool {
	return e.login != nil && kubeconfig.CacheOf(user) != "" && kubeconfig.CacheOf(user) == kubeconfig.CacheOf(e.login)
}

// isLater reports whether a certificate is for another key than a new one and does not
// expire earlier: a renewal in the same second has the same expiry.
func isLater(standing, incoming *pki.Certificate) bool {
	return !standing.Leaf.NotAfter.Before(incoming.Leaf.NotAfter) && !pki.SamePublicKey(standing.Leaf.PublicKey, incoming.Leaf.PublicKey)
}

func laterPairKept(standing, incoming *pki.Certificate, place string) error {
	expires := "expires later (" + pki.Stamp(standing.Leaf.NotAfter) + ") than the new one (" + pki.Stamp(incoming.Leaf.NotAfter) + ")"
	if standing.Leaf.NotAfter.Equal(incoming.Leaf.NotAfter) {
		expires = "expires when the new one does (" + pki.Stamp(standing.Leaf.NotAfter) + ")"
	}
	return outcome.WithHint(
		fmt.Errorf("%s has a certificate for another key that %s", place, expires),
		"it was kept, and nothing was changed; to replace it: --overwrite")
}

// certificateOf is the certificate that a user entry logs in with, of a pair in the entry
// or in its credential cache; nil where it has none that can be used.
func certificateOf(user *clientcmdapi.AuthInfo) *pki.Certificate {
	if directory := kubeconfig.CacheOf(user); directory != "" {
		held, err := pair.ReadCache(store.CredentialCacheAt(directory))
		if err != nil {
			return nil
		}
		return held.Certificate
	}
	held := pair.Held{Credentials: kubeconfig.Credentials{Certificate: user.ClientCertificateData, Key: user.ClientKeyData}}
	if held.Parse() != nil {
		return nil
	}
	return held.Certificate
}
