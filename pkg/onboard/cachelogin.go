package onboard

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
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
	p.Cluster, err = p.Cluster.With(cluster.ByCertificate(held.Credentials))
	return err
}

// TargetAt is the API server at an endpoint, as a kubeconfig that holds the endpoint reaches
// it: without credentials for a proxy. timeout bounds every call but a watch; 0 is the
// default of package cluster.
func TargetAt(p *Program, endpoint kubeconfig.Endpoint, timeout time.Duration) cluster.Target {
	return cluster.Target{Endpoint: endpoint, Timeout: timeout, UserAgent: p.UserAgent, Now: p.Now}
}
