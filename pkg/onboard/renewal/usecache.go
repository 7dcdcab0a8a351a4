package renewal

import (
	"bytes"
	"context"
	"fmt"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// UseCache has a kubeconfig user log in from a credential cache in their directory from now
// on: the pair that they have goes there. command is how the kubeconfig calls this
// program. Cluster is the API server of the user's context. Nothing is changed unless it
// takes the pair, by the way that the cache will know, and lets them ask for another. It
// returns the entry that holds the pair now. A user who logs in from a cache already
// stays as they are.
func UseCache(ctx context.Context, p *onboard.Program, user pair.KubeconfigUser, directoryOf func(user string) (store.UserDirectory, error), command string) (pair.KubeconfigUser, error) {
	if user.Cache != nil {
		return user, nil
	}
	held, err := user.Read(p.Now)
	if err != nil {
		return user, err
	}
	if end := held.Certificate.Leaf.NotAfter; !p.Now().Before(end) {
		return user, pair.Expired(user, held.Certificate, p.Now())
	}
	who := held.Certificate.User()
	directory, err := directoryOf(who.Name)
	if err != nil {
		return user, err
	}
	endpoint := p.Cluster.Endpoint()
	cache, err := destination.CacheFor(directory, endpoint, who)
	if err != nil {
		return user, err
	}
	if err := checkFitForCache(ctx, p, user, held); err != nil {
		return user, err
	}
	names := kubeconfig.Names{Cluster: endpoint.Cluster, Context: user.Context}
	if _, err := destination.FillCache(ctx, p.Run(), cache, endpoint, names, held.Credentials, held.Certificate, false); err != nil {
		return user, err
	}
	err = store.UpdateSharedFile(ctx, user.Path, func(existing []byte) ([]byte, error) {
		return rotated(existing, user, func(config *clientcmdapi.Config) (*clientcmdapi.Config, error) {
			return kubeconfig.UseExec(config, user.Entry, held.Pair, command, cache.Directory())
		})
	})
	if err != nil {
		return user, fmt.Errorf("the kubeconfig was not written: %w", err)
	}
	p.Tell(CacheInUse{Context: user.Context, Path: user.Path})
	filled, err := pair.ReadCache(cache)
	if err != nil {
		return user, err
	}
	return pair.KubeconfigUser{Context: user.Context, Path: cache.KubeconfigPath(), Entry: filled.Entry, Cache: &cache}, nil
}

// checkFitForCache looks at what would keep a pair from being renewed from a cache, before
// the kubeconfig loses it.
func checkFitForCache(ctx context.Context, p *onboard.Program, user pair.KubeconfigUser, held *pair.Held) error {
	const unchanged = "nothing was changed"
	if err := store.CheckWritable(ctx, store.SharedKubeconfig, user.Path); err != nil {
		return outcome.WithHint(fmt.Errorf("the kubeconfig cannot be changed: %w", err), unchanged)
	}
	asUser, err := cluster.New(onboard.TargetAt(p, p.Cluster.Endpoint(), p.Cluster.Target().Timeout), cluster.ByCertificate(held.Credentials))
	if err != nil {
		return err
	}
	if _, _, err := holderOf(ctx, asUser, user, held); err != nil {
		return err
	}
	may, err := asUser.MayI(ctx, cluster.RequestRight("", "create"))
	if err != nil {
		return outcome.WithHint(err, unchanged)
	}
	if !may {
		return mayNotRenew(held.Certificate.User().Name, nil)
	}
	return nil
}

// moves is how often a cache that others change meanwhile is moved.
const moves = 10

// moveCache has a credential cache reach its API server as the kubeconfig's context does,
// because the person said so: the API server has another address, or another certificate
// authority. A pair that another run puts into the cache meanwhile is moved as well.
func moveCache(ctx context.Context, p *onboard.Program, cache store.CredentialCache) error {
	for range moves {
		held, err := pair.ReadCache(cache)
		if err != nil {
			return err
		}
		if isMoved, err := moveHeld(ctx, p, cache, held); err != nil || isMoved {
			return err
		}
	}
	return outcome.WithHint(fmt.Errorf("the credential cache %s was not moved: other processes change it all the time", identity.Quote(cache.Directory())),
		"nothing was changed; run the same command again")
}

// moveHeld is moveCache for what the cache was seen to hold. isMoved is false where it does not
// hold that any more.
func moveHeld(ctx context.Context, p *onboard.Program, cache store.CredentialCache, held *pair.Cached) (isMoved bool, _ error) {
	endpoint := p.Cluster.Endpoint()
	if held.Endpoint.DifferenceTo(endpoint) == "" {
		return true, nil
	}
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(endpoint, held.Credentials, kubeconfig.Names{Cluster: endpoint.Cluster, Context: held.Entry}, ""))
	if err != nil {
		return false, err
	}
	err = cache.UpdateKubeconfig(ctx, func(existing []byte) ([]byte, error) {
		if isMoved = bytes.Equal(existing, held.Kubeconfig); !isMoved {
			return existing, nil
		}
		return encoded, nil
	})
	if err != nil || !isMoved {
		return false, err
	}
	p.Tell(CacheMoved{Directory: cache.Directory(), From: held.Endpoint.Server, To: endpoint.Server})
	return true, nil
}
