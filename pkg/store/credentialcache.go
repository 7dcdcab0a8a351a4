package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/trouble"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store/wholefile"
)

// CredentialCache is the directory from which the credential plugin answers: a
// kubeconfig with the pair and how the cluster is reached, the answer that was given
// last, the renewal that is under way, and what happened to it. Its keys go nowhere
// else but to kubectl.
type CredentialCache struct{ directory string }

// CredentialCache is the cache in a user's directory of their credentials as one identity
// on one cluster, which id names. Nothing is created yet.
func (d UserDirectory) CredentialCache(id ...[]byte) (CredentialCache, error) {
	directory, err := filepath.Abs(filepath.Join(d.directory, "credential-"+identity.Digest(10, id...)))
	return CredentialCache{directory: directory}, err
}

// CredentialCacheAt is the cache in a directory. A path that is relative to the directory that
// this process works in is made absolute: what renews in the background works elsewhere.
func CredentialCacheAt(directory string) CredentialCache {
	if absolute, err := filepath.Abs(directory); err == nil {
		directory = absolute
	}
	return CredentialCache{directory: filepath.Clean(directory)}
}

// Directory is the directory's path.
func (c CredentialCache) Directory() string { return c.directory }

// Prepare creates the directory with mode 0700 where it does not exist, and judges it: see
// Check.
func (c CredentialCache) Prepare() error {
	if err := os.MkdirAll(c.directory, 0o700); err != nil {
		return trouble.WithHint(fmt.Errorf("the directory %q cannot be created: %w", c.directory, trouble.Cause(err)), c.directory)
	}
	return cacheKubeconfig.judgePlace(c.KubeconfigPath())
}

// Check says why the directory cannot be a cache: something is there that is not a
// directory of the effective user which nobody else can look into.
func (c CredentialCache) Check() error {
	if !Exists(c.directory) {
		return nil
	}
	_, err := c.ReadKubeconfig()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// KubeconfigPath is the kubeconfig with the pair.
func (c CredentialCache) KubeconfigPath() string { return filepath.Join(c.directory, "kubeconfig") }

// Renewals is the directory in which the pair's renewal waits.
func (c CredentialCache) Renewals() string { return filepath.Join(c.directory, "renewals") }

// StatePath is what is known of the renewals that the plugin began by itself.
func (c CredentialCache) StatePath() string { return filepath.Join(c.directory, "renewal.json") }

// ReadKubeconfig reads the kubeconfig with the pair; see UserDirectory.ReadKey.
func (c CredentialCache) ReadKubeconfig() ([]byte, error) {
	return ReadFileOf(cacheKubeconfig, c.KubeconfigPath())
}

// UpdateKubeconfig changes the kubeconfig with the pair (see UpdateFile). The answer that
// was made of it goes before, so that whenever this process ends, no answer holds a pair
// that was replaced.
func (c CredentialCache) UpdateKubeconfig(ctx context.Context, change func(existing []byte) ([]byte, error)) error {
	return UpdateFile(ctx, cacheKubeconfig, c.KubeconfigPath(), func(existing []byte) ([]byte, error) {
		changed, err := change(existing)
		if err == nil && !bytes.Equal(existing, changed) {
			err = wholefile.Remove(c.answerPath())
		}
		return changed, err
	})
}

// KeepAnswer keeps an answer for the next time, in place of an older one, if the
// kubeconfig is still the one that it was made of. Where another process is changing
// that, none is kept.
func (c CredentialCache) KeepAnswer(madeOf, data []byte) (err error) {
	held, err := TryLock(c.KubeconfigPath())
	if held == nil || err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	if now, err := c.ReadKubeconfig(); err != nil || !bytes.Equal(now, madeOf) {
		return err
	}
	return cachedAnswer.replaceFile(new(wholefile.Directories), c.answerPath(), data)
}

func (c CredentialCache) answerPath() string { return filepath.Join(c.directory, answer.File) }
