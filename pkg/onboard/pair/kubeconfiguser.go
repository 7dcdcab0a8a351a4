package pair

import (
	"crypto"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// ErrNoCertificate is the error of a kubeconfig user who logs in with something
// else than a client certificate.
var ErrNoCertificate = errors.New("no client certificate")

// KubeconfigUser is a user entry of a kubeconfig file.
type KubeconfigUser struct {
	// Context is what a person calls it by. Required.
	Context string
	// Path is the kubeconfig file that has the entry. Required.
	Path string
	// Entry is the entry's name. Required.
	Entry string
	// Cache is the credential cache that Path is of, where it is of one: then no
	// other program writes it. Optional.
	Cache *store.CredentialCache
	// Loaded is the entry as it was read, for a Path that is a pipe and cannot be read
	// again. Optional; an entry that has it can only be looked at.
	Loaded *clientcmdapi.AuthInfo
}

// UserOf finds the entry that holds the certificate a context logs in with: the
// context's own, or that of the credential cache it names. path is the file with the
// context's user entry.
func UserOf(context, path, entry string, user *clientcmdapi.AuthInfo) (KubeconfigUser, error) {
	if directory := kubeconfig.CacheOf(user); directory != "" {
		cache := store.CredentialCacheAt(directory)
		held, err := ReadCache(cache)
		if err != nil {
			return KubeconfigUser{}, err
		}
		return KubeconfigUser{Context: context, Path: cache.KubeconfigPath(), Entry: held.Entry, Cache: &cache}, nil
	}
	if _, has := kubeconfig.PairOf(user); !has {
		return KubeconfigUser{}, outcome.WithHint(
			outcome.Errorf(ErrNoCertificate, "the user %q of the context %q does not log in with a client certificate", entry, context),
			"csr-onboard renews client certificates only; see: kubectl csr-onboard status")
	}
	return KubeconfigUser{Context: context, Path: path, Entry: entry}, nil
}

// Held is a client certificate and its key, as a kubeconfig user has them.
type Held struct {
	// pair is how the kubeconfig has them.
	Pair        kubeconfig.Pair
	Certificate *pki.Certificate
	Key         crypto.Signer
	Credentials kubeconfig.Credentials
}

// Read reads the entry's certificate and key as they are now, the time of which the clock
// tells. The certificate may have expired.
func (u KubeconfigUser) Read(now func() time.Time) (*Held, error) {
	user, err := u.entry(now)
	if err != nil {
		return nil, err
	}
	pair, has := kubeconfig.PairOf(user)
	if !has {
		return nil, outcome.Errorf(ErrNoCertificate, "the user %q of %q does not log in with a client certificate", u.Entry, u.Path)
	}
	held := &Held{Pair: pair, Credentials: kubeconfig.Credentials{Certificate: pair.Certificate, Key: pair.Key}}
	if pair.CertificateFile != "" {
		if held.Credentials.Certificate, err = store.ReadFile(u.Resolve(pair.CertificateFile)); err != nil {
			return nil, err
		}
	}
	if pair.KeyFile != "" {
		if held.Credentials.Key, err = store.ReadSecret(u.Resolve(pair.KeyFile)); err != nil {
			return nil, err
		}
	}
	if err := held.Parse(); err != nil {
		return nil, fmt.Errorf("the user %q of %q: %w", u.Entry, u.Path, err)
	}
	return held, nil
}

// entry reads the entry itself.
func (u KubeconfigUser) entry(now func() time.Time) (*clientcmdapi.AuthInfo, error) {
	if u.Loaded != nil {
		return u.Loaded, nil
	}
	data, err := store.ReadKubeconfig(u.Path, now)
	if err != nil {
		return nil, err
	}
	config, err := kubeconfig.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("the file %q is not a kubeconfig: %w", u.Path, err)
	}
	user, exists := config.AuthInfos[u.Entry]
	if !exists {
		return nil, fmt.Errorf("the kubeconfig %q has no user %q", u.Path, u.Entry)
	}
	return user, nil
}

// Resolve returns a path of the kubeconfig, which may be relative to the kubeconfig's directory.
func (u KubeconfigUser) Resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(u.Path), path)
}

// Parse makes Certificate and Key of Credentials, and checks that they belong together.
func (h *Held) Parse() (err error) {
	h.Credentials.Certificate, h.Credentials.Key = pki.SplitPair(h.Credentials.Certificate, h.Credentials.Key)
	if h.Certificate, err = pki.ParseCertificate(h.Credentials.Certificate); err != nil {
		return fmt.Errorf("its client certificate cannot be used: %w", err)
	}
	if h.Key, err = pki.ParseKey(h.Credentials.Key); err != nil {
		return fmt.Errorf("its private key cannot be used: %w", err)
	}
	if !pki.SamePublicKey(h.Certificate.Leaf.PublicKey, h.Key.Public()) {
		return errors.New("its private key is not the one of its client certificate")
	}
	return nil
}

// Cached is what a credential cache holds.
type Cached struct {
	Held
	Entry    string
	Endpoint kubeconfig.Endpoint
	// kubeconfig is the file that it was read from, byte by byte.
	Kubeconfig []byte
}

// ReadCache reads what a credential cache holds.
func ReadCache(cache store.CredentialCache) (*Cached, error) {
	data, err := cache.ReadKubeconfig()
	if err != nil {
		return nil, outcome.WithHint(fmt.Errorf("credential not found in the cache: %w", err),
			"a kubeconfig with --exec works only on the machine where it was created; on this machine, request a certificate of its own: "+
				"kubectl csr-onboard new-user NAME --offline, have it approved, and run kubectl csr-onboard fetch NAME --from FILE --exec")
	}
	held := &Cached{Kubeconfig: data}
	held.Endpoint, held.Entry, held.Credentials, err = kubeconfig.DecodeOwn(data)
	if err == nil {
		held.Pair = kubeconfig.Pair{Certificate: held.Credentials.Certificate, Key: held.Credentials.Key}
		err = held.Parse()
	}
	if err != nil {
		return nil, outcome.WithHint(fmt.Errorf("the credential cache %s cannot be used: %w", identity.Quote(cache.Directory()), err),
			"recreate the kubeconfig: kubectl csr-onboard fetch NAME --exec")
	}
	return held, nil
}
