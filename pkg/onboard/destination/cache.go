package destination

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// CacheFor is the cache in a user's directory of their credentials for one cluster. A user has
// one for each set of groups: in other groups they are somebody else there.
func CacheFor(directory store.UserDirectory, endpoint kubeconfig.Endpoint, user identity.User) (store.CredentialCache, error) {
	id := [][]byte{[]byte(endpoint.Server), endpoint.CertificateAuthority, []byte(user.Name)}
	for _, group := range slices.Sorted(slices.Values(user.Groups)) {
		id = append(id, []byte(group))
	}
	return directory.CredentialCache(id...)
}

// FillCache puts a pair into a credential cache, and returns the certificate that the
// cache has then. An existing pair that expires later and logs in was renewed, and
// stays unless it is to be overwritten. Where it is unknown whether it
// logs in, nothing is changed.
func FillCache(ctx context.Context, run Run, cache store.CredentialCache, endpoint kubeconfig.Endpoint, names kubeconfig.Names, credentials kubeconfig.Credentials, certificate *pki.Certificate, overwrite bool) (*pki.Certificate, error) {
	if held, err := pair.ReadCache(cache); err == nil && !overwrite && isLaterPairOf(held, certificate, run.Now()) {
		switch logsIn, err := logsInFrom(ctx, run, held, endpoint); {
		case err != nil:
			return nil, outcome.ReplaceHint(
				fmt.Errorf("the credential cache %s has a certificate that expires later (%s), and it is unknown whether it logs in: %w",
					identity.Quote(cache.Directory()), pki.Stamp(held.Certificate.Leaf.NotAfter), err),
				"nothing was changed; try again when the API server can be reached")
		case logsIn:
			run.Tell(CacheKept{Directory: cache.Directory(), NotAfter: held.Certificate.Leaf.NotAfter})
			certificate, credentials = held.Certificate, held.Credentials
			if held.Endpoint.DifferenceTo(endpoint) == "" {
				return certificate, nil
			}
			// What renews in the background goes by the cache's endpoint, which has to be the
			// one that was logged in at.
			names.Context = held.Entry
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
	run.Tell(CacheFilled{Directory: cache.Directory()})
	return certificate, nil
}

// isLaterPairOf reports whether a cached pair is what a certificate became by a renewal: of
// the same user in the same groups, from the same certificate authority, for another key if
// both expire in the same second, and valid for at least as long. What a cache holds is not believed for its name.
func isLaterPairOf(held *pair.Cached, certificate *pki.Certificate, now time.Time) bool {
	cached, fetched := held.Certificate.Leaf, certificate.Leaf
	return (cached.NotAfter.After(fetched.NotAfter) || isLater(held.Certificate, certificate)) &&
		pki.Match(held.Certificate, held.Key.Public(), certificate.User(), now) == nil &&
		bytes.Equal(cached.RawIssuer, fetched.RawIssuer) && bytes.Equal(cached.AuthorityKeyId, fetched.AuthorityKeyId)
}

// heldPatience is how long a server may take to say whom it takes a cached pair for.
const heldPatience = 5 * time.Second

// logsInFrom reports whether an API server accepts the pair of a cache for the user whom
// it names: it may be of an authority that the server does not trust any more. The error
// is of a server that did not answer.
func logsInFrom(ctx context.Context, run Run, held *pair.Cached, endpoint kubeconfig.Endpoint) (bool, error) {
	target := cluster.Target{Endpoint: endpoint, Timeout: heldPatience, UserAgent: run.UserAgent, Now: run.Now}
	_, err := cluster.ProveLogIn(ctx, target.LogIn, held.Credentials, held.Certificate.User().Name)
	if cluster.IsUnreachable(err) || errors.Is(err, outcome.ErrInterrupted) {
		return false, errors.Unwrap(err)
	}
	return err == nil, nil
}
