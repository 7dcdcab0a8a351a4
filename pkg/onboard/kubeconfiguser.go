package onboard

import (
	"crypto"
	"errors"
	"fmt"
	"path/filepath"

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
		held, err := readCache(cache)
		if err != nil {
			return KubeconfigUser{}, err
		}
		return KubeconfigUser{Context: context, Path: cache.KubeconfigPath(), Entry: held.entry, Cache: &cache}, nil
	}
	if _, has := kubeconfig.PairOf(user); !has {
		return KubeconfigUser{}, outcome.WithHint(
			outcome.Errorf(ErrNoCertificate, "the user %q of the context %q does not log in with a client certificate", entry, context),
			"nothing of it ends by itself that this program could renew; see: kubectl csr-onboard status")
	}
	return KubeconfigUser{Context: context, Path: path, Entry: entry}, nil
}

// LogInFromCache has Cluster log in with the pair that a credential cache holds, and with
// nothing else. The pair is not renewed.
func (p *Program) LogInFromCache(directory string) error {
	held, err := readCache(store.CredentialCacheAt(directory))
	if err != nil {
		return err
	}
	p.Cluster, err = p.Cluster.As(held.credentials, p.UserAgent)
	return err
}

// heldPair is a client certificate and its key, as a kubeconfig user has them.
type heldPair struct {
	// pair is how the kubeconfig has them.
	pair        kubeconfig.Pair
	certificate *pki.Certificate
	key         crypto.Signer
	credentials kubeconfig.Credentials
}

// read reads the entry's certificate and key as they are now. The certificate may
// have ended.
func (u KubeconfigUser) read() (*heldPair, error) {
	user, err := u.entry()
	if err != nil {
		return nil, err
	}
	pair, has := kubeconfig.PairOf(user)
	if !has {
		return nil, outcome.Errorf(ErrNoCertificate, "the user %q of %q does not log in with a client certificate", u.Entry, u.Path)
	}
	held := &heldPair{pair: pair, credentials: kubeconfig.Credentials{Certificate: pair.Certificate, Key: pair.Key}}
	if pair.CertificateFile != "" {
		if held.credentials.Certificate, err = store.ReadFile(u.beside(pair.CertificateFile)); err != nil {
			return nil, err
		}
	}
	if pair.KeyFile != "" {
		if held.credentials.Key, err = store.ReadSecret(u.beside(pair.KeyFile)); err != nil {
			return nil, err
		}
	}
	if err := held.parse(); err != nil {
		return nil, fmt.Errorf("the user %q of %q: %w", u.Entry, u.Path, err)
	}
	return held, nil
}

// entry reads the entry itself.
func (u KubeconfigUser) entry() (*clientcmdapi.AuthInfo, error) {
	if u.Loaded != nil {
		return u.Loaded, nil
	}
	data, err := store.ReadKubeconfig(u.Path)
	if err != nil {
		return nil, err
	}
	config, err := kubeconfig.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("the file %q is no kubeconfig: %w", u.Path, err)
	}
	user, exists := config.AuthInfos[u.Entry]
	if !exists {
		return nil, fmt.Errorf("the kubeconfig %q has no user %q", u.Path, u.Entry)
	}
	return user, nil
}

// beside resolves a path as it is written in the kubeconfig.
func (u KubeconfigUser) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(u.Path), path)
}

func (h *heldPair) parse() (err error) {
	h.credentials.Certificate, h.credentials.Key = pki.SplitPair(h.credentials.Certificate, h.credentials.Key)
	if h.certificate, err = pki.ParseCertificate(h.credentials.Certificate); err != nil {
		return fmt.Errorf("its client certificate can't be used: %w", err)
	}
	if h.key, err = pki.ParseKey(h.credentials.Key); err != nil {
		return fmt.Errorf("its private key can't be used: %w", err)
	}
	if !pki.SamePublicKey(h.certificate.Leaf.PublicKey, h.key.Public()) {
		return errors.New("its private key is not the one of its client certificate")
	}
	return nil
}

// cachedPair is what a credential cache holds.
type cachedPair struct {
	heldPair
	entry    string
	endpoint kubeconfig.Endpoint
	// kubeconfig is the file that it was read from, byte by byte.
	kubeconfig []byte
}

func readCache(cache store.CredentialCache) (*cachedPair, error) {
	data, err := cache.ReadKubeconfig()
	if err != nil {
		return nil, outcome.WithHint(fmt.Errorf("credential not found in the cache: %w", err),
			"a kubeconfig made with --exec works only on the machine where it was made; on this machine, request a certificate of its own: "+
				"kubectl csr-onboard new-user NAME --offline, have it approved, and run kubectl csr-onboard fetch NAME --from FILE --exec")
	}
	held := &cachedPair{kubeconfig: data}
	held.endpoint, held.entry, held.credentials, err = kubeconfig.DecodeOwn(data)
	if err == nil {
		held.pair = kubeconfig.Pair{Certificate: held.credentials.Certificate, Key: held.credentials.Key}
		err = held.parse()
	}
	if err != nil {
		return nil, outcome.WithHint(fmt.Errorf("the credential cache %s can't be used: %w", identity.Quote(cache.Directory()), err),
			"make the kubeconfig anew: kubectl csr-onboard fetch NAME --exec")
	}
	return held, nil
}
