package onboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// cacheFor is the cache in a user's folder of her credentials for one cluster. A user has
// one for each set of groups: in other groups she is somebody else there.
func cacheFor(folder store.Folder, endpoint kubeconfig.Endpoint, user identity.User) (store.CredentialCache, error) {
	id := [][]byte{[]byte(endpoint.Server), endpoint.CertificateAuthority, []byte(user.Name)}
	for _, group := range slices.Sorted(slices.Values(user.Groups)) {
		id = append(id, []byte(group))
	}
	return folder.CredentialCache(id...)
}

// keepInCache puts a fetched pair into the credential cache that the kubeconfig will
// name.
func (p *Program) keepInCache(ctx context.Context, d *destination, credentials kubeconfig.Credentials) (err error) {
	if d.cache, err = cacheFor(d.folder, d.endpoint, d.user); err != nil {
		return err
	}
	d.incoming, err = p.fillCache(ctx, d.cache, d.endpoint, d.names, credentials, d.incoming, d.Overwrite)
	return err
}

// fillCache puts a pair into a credential cache, and returns the certificate that the
// cache has then. A pair that is there already, expires later and logs in was renewed, and
// stays unless it is to be overwritten. Where it is unknown whether it
// logs in, nothing is changed.
func (p *Program) fillCache(ctx context.Context, cache store.CredentialCache, endpoint kubeconfig.Endpoint, names kubeconfig.Names, credentials kubeconfig.Credentials, certificate *pki.Certificate, overwrite bool) (*pki.Certificate, error) {
	if held, err := readCache(cache); err == nil && !overwrite && p.isLaterPairOf(held, certificate) {
		switch logsIn, err := p.logsInFrom(ctx, held, endpoint); {
		case err != nil:
			return nil, outcome.ReplaceHint(
				fmt.Errorf("the credential cache %s has a certificate that expires later (%s), and it is unknown whether it logs in: %w",
					identity.Quote(cache.Directory()), pki.Stamp(held.certificate.Leaf.NotAfter), err),
				"nothing was changed; try again when the API server can be reached")
		case logsIn:
			p.Tell(CacheKept{Directory: cache.Directory(), NotAfter: held.certificate.Leaf.NotAfter})
			certificate, credentials = held.certificate, held.credentials
			if held.endpoint.DifferenceTo(endpoint) == "" {
				return certificate, nil
			}
			// What renews in the background goes by the cache's endpoint, which has to be the
			// one that was logged in at.
			names.Context = held.entry
		}
	}
	if err := cache.Prepare(); err != nil {
		return nil, err
	}
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(endpoint, credentials, names, ""))
	if err != nil {
		return nil, err
	}
	if err := cache.UpdateKubeconfig(ctx, func([]byte) ([]byte, error) { return encoded, nil }); err != nil {
		return nil, fmt.Errorf("the credential cache was not written: %w", err)
	}
	p.Tell(CacheFilled{Directory: cache.Directory()})
	return certificate, nil
}

// isLaterPairOf reports whether a cached pair is what a certificate became by a renewal: of
// the same user in the same groups, from the same certificate authority, for another key if
// both expire in the same second, and valid for at least as long. What a cache holds is not believed for its name.
func (p *Program) isLaterPairOf(held *cachedPair, certificate *pki.Certificate) bool {
	cached, fetched := held.certificate.Leaf, certificate.Leaf
	return (cached.NotAfter.After(fetched.NotAfter) || isLater(held.certificate, certificate)) &&
		pki.Match(held.certificate, held.key.Public(), certificate.User(), p.Now()) == nil &&
		bytes.Equal(cached.RawIssuer, fetched.RawIssuer) && bytes.Equal(cached.AuthorityKeyId, fetched.AuthorityKeyId)
}

// heldPatience is how long a server may take to say whom it takes a cached pair for.
const heldPatience = 5 * time.Second

// logsInFrom reports whether an API server accepts the pair of a cache for the user whom
// it names: it may be of an authority that the server does not trust any more. The error
// is of a server that did not answer.
func (p *Program) logsInFrom(ctx context.Context, held *cachedPair, endpoint kubeconfig.Endpoint) (bool, error) {
	me, err := cluster.LogIn(ctx, endpoint, held.credentials, p.UserAgent, heldPatience)
	if cluster.IsUnreachable(err) || errors.Is(err, outcome.ErrInterrupted) {
		return false, err
	}
	return err == nil && me.Name == held.certificate.User().Name, nil
}

// UseCache has a kubeconfig user log in from a credential cache in her folder from now
// on: the pair that she has goes there. command is how the kubeconfig calls this
// program. Cluster is the API server of the user's context. Nothing is changed unless it
// takes the pair, by the way that the cache will know, and lets her ask for another. It
// returns the entry that holds the pair now. A user who logs in from a cache already
// stays as she is.
func (p *Program) UseCache(ctx context.Context, user KubeconfigUser, folderOf func(user string) (store.Folder, error), command string) (KubeconfigUser, error) {
	if user.Cache != nil {
		return user, nil
	}
	held, err := user.read()
	if err != nil {
		return user, err
	}
	if end := held.certificate.Leaf.NotAfter; !p.Now().Before(end) {
		return user, ended(user, held.certificate, p.Now())
	}
	who := held.certificate.User()
	folder, err := folderOf(who.Name)
	if err != nil {
		return user, err
	}
	endpoint := p.Cluster.Endpoint()
	cache, err := cacheFor(folder, endpoint, who)
	if err != nil {
		return user, err
	}
	if err := p.checkFitForCache(ctx, user, held); err != nil {
		return user, err
	}
	names := kubeconfig.Names{Cluster: endpoint.Cluster, Context: user.Context}
	if _, err := p.fillCache(ctx, cache, endpoint, names, held.credentials, held.certificate, false); err != nil {
		return user, err
	}
	err = store.UpdateSharedFile(ctx, user.Path, func(existing []byte) ([]byte, error) {
		return rotated(existing, user, func(config *clientcmdapi.Config) (*clientcmdapi.Config, error) {
			return kubeconfig.UseExec(config, user.Entry, held.pair, command, cache.Directory())
		})
	})
	if err != nil {
		return user, fmt.Errorf("the kubeconfig was not written: %w", err)
	}
	p.Tell(CacheInUse{Context: user.Context, Path: user.Path})
	filled, err := readCache(cache)
	if err != nil {
		return user, err
	}
	return KubeconfigUser{Context: user.Context, Path: cache.KubeconfigPath(), Entry: filled.entry, Cache: &cache}, nil
}

// checkFitForCache looks at what would keep a pair from being renewed from a cache, before
// the kubeconfig loses it.
func (p *Program) checkFitForCache(ctx context.Context, user KubeconfigUser, held *heldPair) error {
	const unchanged = "nothing was changed"
	if err := store.CheckWritable(store.SharedKubeconfig, user.Path); err != nil {
		return outcome.WithHint(fmt.Errorf("the kubeconfig can't be changed: %w", err), unchanged)
	}
	her, err := p.Cluster.ByEndpoint(held.credentials, p.UserAgent)
	if err != nil {
		return err
	}
	if _, _, err := holderOf(ctx, her, user, held); err != nil {
		return err
	}
	may, err := her.MayI(ctx, cluster.RequestRight("", "create"))
	if err != nil {
		return outcome.WithHint(err, unchanged)
	}
	if !may {
		return mayNotRenew(held.certificate.User().Name, nil)
	}
	return nil
}

// checkCacheOf refuses to use a credential cache for another API server than the one that
// it was made for. A kubeconfig from elsewhere can name any cache; if its context decided
// where the cache's certificate is renewed, it would take the cache over.
func checkCacheOf(user KubeconfigUser, endpoint kubeconfig.Endpoint) error {
	if user.Cache == nil {
		return nil
	}
	held, err := readCache(*user.Cache)
	if err != nil {
		return err
	}
	difference := held.endpoint.DifferenceTo(endpoint)
	if difference == "" {
		return nil
	}
	return outcome.Errorf(errOtherServersCache,
		"the credential cache %s was made for the API server %s, and the context %s has another %s (its server is %s)",
		identity.Quote(user.Cache.Directory()), identity.Printable(held.endpoint.Server), identity.Quote(user.Context), difference, identity.Printable(endpoint.Server))
}

// errOtherServersCache is the error of a credential cache that a context of another API
// server names.
var errOtherServersCache = errors.New("a credential cache of another API server")

// moveCache has a credential cache reach its API server as the kubeconfig's context does,
// because the person said so: the API server has another address, or another certificate
// authority.
func (p *Program) moveCache(ctx context.Context, cache store.CredentialCache) error {
	held, err := readCache(cache)
	if err != nil {
		return err
	}
	endpoint := p.Cluster.Endpoint()
	if held.endpoint.DifferenceTo(endpoint) == "" {
		return nil
	}
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(endpoint, held.credentials, kubeconfig.Names{Cluster: endpoint.Cluster, Context: held.entry}, ""))
	if err != nil {
		return err
	}
	err = cache.UpdateKubeconfig(ctx, func(existing []byte) ([]byte, error) {
		if !bytes.Equal(existing, held.kubeconfig) {
			// Somebody else has just written it.
			return existing, nil
		}
		return encoded, nil
	})
	if err != nil {
		return err
	}
	p.Tell(CacheMoved{Directory: cache.Directory(), From: held.endpoint.Server, To: endpoint.Server})
	return nil
}
