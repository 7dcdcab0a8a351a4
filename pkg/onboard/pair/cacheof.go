package pair

import (
	"errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// CheckCacheOf refuses to use a credential cache for another API server than the one that
// it was made for. A kubeconfig from elsewhere can name any cache; if its context decided
// where the cache's certificate is renewed, it would take the cache over.
func CheckCacheOf(user KubeconfigUser, endpoint kubeconfig.Endpoint) error {
	if user.Cache == nil {
		return nil
	}
	held, err := ReadCache(*user.Cache)
	if err != nil {
		return err
	}
	difference := held.Endpoint.DifferenceTo(endpoint)
	if difference == "" {
		return nil
	}
	return outcome.Errorf(errOtherServersCache,
		"the credential cache %s was created for the API server %s, and the context %s has another %s (its server is %s)",
		identity.Quote(user.Cache.Directory()), identity.Printable(held.Endpoint.Server), identity.Quote(user.Context), difference, identity.Printable(endpoint.Server))
}

// errOtherServersCache is the error of a credential cache that a context of another API
// server names.
var errOtherServersCache = errors.New("a credential cache of another API server")
