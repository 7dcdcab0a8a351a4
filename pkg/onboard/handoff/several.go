package handoff

import (
	"context"
	"fmt"
	"maps"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Part is a user's certificate for one of several clusters, which was checked.
type Part struct {
	Endpoint    kubeconfig.Endpoint
	Certificate *pki.Certificate
}

// OfUser are the certificates of one user, for one file.
type OfUser struct {
	User  identity.User
	Parts []Part
}

// ByUser adds to each user what was handed off on a cluster, users in the order in which they came.
func ByUser(users []OfUser, endpoint kubeconfig.Endpoint, handed []*HandedOff) []OfUser {
	for _, one := range handed {
		part, isKnown := Part{endpoint, one.Certificate}, false
		for i := range users {
			if users[i].User.Name != one.User.Name {
				continue
			}
			isKnown = true
			users[i].Parts = append(users[i].Parts, part)
			if !users[i].User.Equal(one.User) {
				// The groups are not the same everywhere.
				users[i].User = identity.User{Name: one.User.Name}
			}
			break
		}
		if !isKnown {
			users = append(users, OfUser{one.User, []Part{part}})
		}
	}
	return users
}

// CheckSeveral is Check for a file that is for several clusters, all of which endpoints are: what is
// written has to replace what a run before has written. endpoint is one of them, and must be one that a
// user can accept among others, without a word about it alone.
func CheckSeveral(ctx context.Context, endpoint kubeconfig.Endpoint, user identity.User, endpoints []kubeconfig.Endpoint, in Input) error {
	if in.Path == "" {
		return nil
	}
	if endpoint.InsecureSkipVerify || endpoint.ProxyURL != "" {
		what := "through a proxy"
		if endpoint.InsecureSkipVerify {
			what = "without a check of its certificate"
		}
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "the API server %s is reached %s, which a user has to accept for this cluster alone", endpoint.Server, what),
			"hand off this cluster by itself: --context NAME in place of --contexts")
	}
	parts := make([]Part, len(endpoints))
	for i, each := range endpoints {
		parts[i] = Part{Endpoint: each, Certificate: &pki.Certificate{}}
	}
	return checkPlace(ctx, user, configOfAll(user, parts), in)
}

// WarnOf tells what a user should know about the cluster before a handoff is written for it.
func WarnOf(ctx context.Context, p *onboard.Program) {
	warnIfNotReached(ctx, p)
	destination.WarnOf(p.Tell, p.Cluster.Endpoint(), true)
}

// WriteSeveral writes one file with a user's certificates for several clusters.
func WriteSeveral(ctx context.Context, p *onboard.Program, of OfUser, in Input) (*HandedOff, error) {
	names := map[string]bool{}
	for _, part := range of.Parts {
		if names[part.Endpoint.Cluster] {
			return nil, fmt.Errorf("two requests of %s were approved on the cluster %s, and the file has one certificate for each cluster", identity.Quote(of.User.Name), identity.Quote(part.Endpoint.Cluster))
		}
		names[part.Endpoint.Cluster] = true
	}
	handed := &HandedOff{User: of.User}
	return handed, write(ctx, p, handed, of.Parts, in)
}

// configOfAll are the entries of all parts. The current context is that of the first.
func configOfAll(user identity.User, parts []Part) *clientcmdapi.Config {
	var all *clientcmdapi.Config
	for _, part := range parts {
		one := configOf(part.Endpoint, user, part.Certificate.PEM)
		if all == nil {
			all = one
			continue
		}
		maps.Copy(all.Clusters, one.Clusters)
		maps.Copy(all.AuthInfos, one.AuthInfos)
		maps.Copy(all.Contexts, one.Contexts)
	}
	return all
}
