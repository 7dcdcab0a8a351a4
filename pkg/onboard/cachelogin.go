package onboard

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// LogInFromCache has Cluster log in with the pair that a credential cache holds, and with
// nothing else. The pair is not renewed.
func (p *Program) LogInFromCache(directory string) error {
	held, err := pair.ReadCache(store.CredentialCacheAt(directory))
	if err != nil {
		return err
	}
	p.Cluster, err = p.Cluster.As(held.Credentials, p.UserAgent)
	return err
}
