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

// fillings is how often a cache that others change meanwhile is judged.
const fillings = 10

// FillCache puts a pair into a credential cache, and returns the certificate that the
// cache has then. An existing pair that expires later and logs in was renewed, and
// stays unless it is to be overwritten. Where it is unknown whether it
// logs in, nothing is changed. A pair that a renewal in the background puts there meanwhile is
// judged as well.
func FillCache(ctx context.Context, run Run, cache store.CredentialCache, endpoint kubeconfig.Endpoint, names kubeconfig.Names, credentials kubeconfig.Credentials, certificate *pki.Certificate, overwrite bool) (*pki.Certificate, error) {
	f := &filling{run, cache, endpoint, names, credentials, certificate}
	if overwrite {
		if _, err := f.write(ctx, func([]byte) bool { return true }); err != nil {
			return nil, err
		}
		run.Tell(CacheFilled{Directory: cache.Directory()})
		return certificate, nil
	}
	for range fillings {
		// What cannot be read is replaced.
		held, err := pair.ReadCache(cache)
		if err != nil {
			held = nil
		}
		kept, isFilled, err := f.fillAfter(ctx, held)
		if err != nil || isFilled {
			return kept, err
		}
	}
	return nil, outcome.WithHint(fmt.Errorf("the credential cache %s was not written: other processes change it all the time", identity.Quote(cache.Directory())),
		"nothing was changed; run the same command again")
}

// filling is a pair that goes into a credential cache.
type filling struct {
	run         Run
	cache       store.CredentialCache
	endpoint    kubeconfig.Endpoint
	names       kubeconfig.Names
	credentials kubeconfig.Credentials
	certificate *pki.Certificate
}

// fillAfter judges the pair that a cache holds, nil for none, and fills the cache. It
// returns the certificate that the cache has then. isFilled is false where the cache does not hold
// that pair any more.
func (f *filling) fillAfter(ctx context.Context, held *pair.Cached) (_ *pki.Certificate, isFilled bool, _ error) {
	wanted := *f
	tell := func() {}
	if held != nil && isLaterPairOf(held, f.certificate, f.run.Now()) {
		switch logsIn, err := logsInFrom(ctx, f.run, held, f.endpoint); {
		case err != nil:
			return nil, false, outcome.ReplaceHint(
				fmt.Errorf("the credential cache %s has a certificate that expires later (%s), and it is unknown whether it logs in: %w",
					identity.Quote(f.cache.Directory()), pki.Stamp(held.Certificate.Leaf.NotAfter), err),
				"nothing was changed; try again when the API server can be reached")
		case logsIn:
			tell = func() {
				f.run.Tell(CacheKept{Directory: f.cache.Directory(), NotAfter: held.Certificate.Leaf.NotAfter})
			}
			if held.Endpoint.DifferenceTo(f.endpoint) == "" {
				tell()
				return held.Certificate, true, nil
			}
			// What renews in the background goes by the cache's endpoint, which has to be the
			// one that was logged in at.
			wanted.certificate, wanted.credentials, wanted.names.Context = held.Certificate, held.Credentials, held.Entry
		}
	}
	isFilled, err := wanted.write(ctx, func(existing []byte) bool {
		if held != nil {
			return bytes.Equal(existing, held.Kubeconfig)
		}
		_, err := pair.ReadCache(f.cache)
		return err != nil
	})
	if err != nil || !isFilled {
		return nil, false, err
	}
	tell()
	f.run.Tell(CacheFilled{Directory: f.cache.Directory()})
	return wanted.certificate, true, nil
}

// write puts the pair into the cache if what is there, while its lock is held, is what was judged.
func (f *filling) write(ctx context.Context, isJudged func(existing []byte) bool) (isWritten bool, _ error) {
	if err := f.cache.Prepare(); err != nil {
		return false, err
	}
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(f.endpoint, f.credentials, f.names, ""))
	if err != nil {
		return false, err
	}
	err = f.cache.UpdateKubeconfig(ctx, func(existing []byte) ([]byte, error) {
		if isWritten = isJudged(existing); !isWritten {
			return existing, nil
		}
		return encoded, nil
	})
	if err != nil {
		return false, fmt.Errorf("the credential cache was not written: %w", err)
	}
	return isWritten, nil
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
