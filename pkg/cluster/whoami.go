package cluster

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// WhoAmI asks the server whom it takes this client for (SelfSubjectReview,
// Kubernetes 1.28 and later). The groups hold system:authenticated as well.
func (c *Client) WhoAmI(ctx context.Context) (identity.User, error) {
	user, _, err := c.Self(ctx)
	return user, err
}

// Self is WhoAmI with the ids of the credentials that this client logs in with
// (access.CredentialIDKey); a certificate has one.
func (c *Client) Self(ctx context.Context) (user identity.User, credentials []string, _ error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	review, err := c.api.Authentication.SelfSubjectReviews().Create(call, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) && !connection.IsForeignAnswer(err) {
		return identity.User{}, nil, outcome.WithHint(
			fmt.Errorf("could not ask the server who this is: %s does not serve SelfSubjectReview of authentication.k8s.io/v1", c.target.Endpoint.Server),
			"this requires Kubernetes 1.28 or later; if the cluster has that, check the address and its path")
	}
	if err != nil {
		return identity.User{}, nil, c.api.Explain(ctx, err, "ask the server who this is")
	}
	info := review.Status.UserInfo
	if info.Username == "" {
		// Without a name nobody is logged in: even anonymous calls have one.
		return identity.User{}, nil, c.api.Explain(ctx, &connection.ResponseError{Found: "nobody's name", Wanted: "a user"}, "ask the server who this is")
	}
	return identity.User{Name: info.Username, Groups: info.Groups}, info.Extra[access.CredentialIDKey], nil
}
