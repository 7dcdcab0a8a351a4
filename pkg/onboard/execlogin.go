package onboard

import (
	"context"
	"fmt"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// cacheFor is the cache in a user's folder of her credentials for one cluster.
func cacheFor(folder store.Folder, endpoint kubeconfig.Endpoint, user string) (store.CredentialCache, error) {
	return folder.CredentialCache([]byte(endpoint.Server), endpoint.CertificateAuthority, []byte(user))
}

// keepInCache puts a fetched pair into the credential cache that the kubeconfig will
// name. A pair that is there already and good for longer was renewed, and stays.
func (p *Program) keepInCache(ctx context.Context, d *destination, credentials kubeconfig.Credentials, certificate *pki.Certificate) (err error) {
	if d.cache, err = cacheFor(d.folder, d.endpoint, d.user.Name); err != nil {
		return err
	}
	return p.fillCache(ctx, d.cache, d.endpoint, d.names, credentials, certificate)
}

func (p *Program) fillCache(ctx context.Context, cache store.CredentialCache, endpoint kubeconfig.Endpoint, names kubeconfig.Names, credentials kubeconfig.Credentials, certificate *pki.Certificate) error {
	if held, err := readCache(cache); err == nil && held.certificate.Leaf.NotAfter.After(certificate.Leaf.NotAfter) && held.certificate.User().Equal(certificate.User()) {
		p.Tell(CacheKept{Directory: cache.Directory(), NotAfter: held.certificate.Leaf.NotAfter})
		return nil
	}
	if err := cache.Prepare(); err != nil {
		return err
	}
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(endpoint, credentials, names, ""))
	if err != nil {
		return err
	}
	err = store.UpdateFile(ctx, cache.KubeconfigPath(), func([]byte) ([]byte, error) { return encoded, nil })
	if err == nil {
		err = cache.RemoveAnswer()
	}
	if err != nil {
		return fmt.Errorf("the credential cache was not written: %w", err)
	}
	p.Tell(CacheFilled{Directory: cache.Directory()})
	return nil
}

// UseCache has a kubeconfig user log in from a credential cache in her folder from now
// on: the pair that she has goes there. command is how the kubeconfig calls this
// program. Cluster is the API server of the user's context, which is not asked
// anything. It returns the entry that holds the pair now. A user who logs in from a
// cache already stays as she is.
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
	name := held.certificate.User().Name
	folder, err := folderOf(name)
	if err != nil {
		return user, err
	}
	endpoint := p.Cluster.Endpoint()
	cache, err := cacheFor(folder, endpoint, name)
	if err != nil {
		return user, err
	}
	names := kubeconfig.Names{Cluster: endpoint.Cluster, Context: user.Context}
	if err := p.fillCache(ctx, cache, endpoint, names, held.credentials, held.certificate); err != nil {
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
