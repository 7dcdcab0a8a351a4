package enforcement

import (
	"bufio"
	"bytes"
	"context"
	"regexp"
	"strings"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
)

// Subject is somebody of whom an API server is asked.
type Subject struct {
	User string
	// CredentialID is that of the certificate or token; "" for none.
	CredentialID string
}

// IsRevoked asks the API server whether it refuses somebody because of the authorization file
// (SubjectAccessReview). That another authorizer permits nothing, or denies it, is not a proof.
func (c *Client) IsRevoked(ctx context.Context, who Subject) (bool, error) {
	spec := authorizationv1.SubjectAccessReviewSpec{
		User: who.User, Groups: []string{"system:authenticated"},
		// What somebody can read who can do nothing else.
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/version", Verb: "get"},
	}
	if who.CredentialID != "" {
		spec.Extra = map[string]authorizationv1.ExtraValue{access.CredentialIDKey: {who.CredentialID}}
	}
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	review, err := c.api.Authorization.SubjectAccessReviews().Create(call, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return false, c.api.Explain(ctx, err, "ask whether the API server refuses who is revoked")
	}
	status := review.Status
	return status.Denied && !status.Allowed && access.IsRevokedAnswer(status.Reason+" "+status.EvaluationError), nil
}

// Self is who this client logs in as, and with which credentials (access.CredentialIDKey).
func (c *Client) Self(ctx context.Context) (user string, credentials []string, _ error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	review, err := c.api.Authentication.SelfSubjectReviews().Create(call, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", nil, c.api.Explain(ctx, err, "ask the server who this is")
	}
	info := review.Status.UserInfo
	return info.Username, info.Extra[access.CredentialIDKey], nil
}

// Loaded is what an API server's metrics say of the authorization file that it uses.
type Loaded struct {
	// APIServer names the API server: "sha256:" and a hash of its identity, which is the name
	// of its Lease in kube-system.
	APIServer string
	// File is the SHA-256 of the file, in hexadecimal.
	File string
}

// loadedMetric is a line of the metric that Kubernetes 1.34 and later have
// (k8s.io/apiserver pkg/server/options/authorizationconfig/metrics).
var loadedMetric = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^apiserver_authorization_config_controller_last_config_info\{apiserver_id_hash="(sha256:[0-9a-f]{64})",hash="sha256:([0-9a-f]{64})"\} 1$`)
})

// Loaded asks the API server which file it has loaded. isServed is false where its metrics do
// not say, as before Kubernetes 1.34 and without --authorization-config.
func (c *Client) Loaded(ctx context.Context) (_ Loaded, isServed bool, _ error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	text, err := c.api.Core.RESTClient().Get().AbsPath("/metrics").SetHeader("Accept", connection.TextType).DoRaw(call)
	if apierrors.IsNotFound(err) {
		return Loaded{}, false, nil
	}
	if err != nil {
		return Loaded{}, false, c.api.Explain(ctx, err, "read the API server's metrics")
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if found := loadedMetric().FindStringSubmatch(strings.TrimSpace(lines.Text())); found != nil {
			return Loaded{APIServer: found[1], File: found[2]}, true, nil
		}
	}
	return Loaded{}, false, nil
}
