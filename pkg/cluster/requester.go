package cluster

import (
	"context"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RequesterCanApprove asks the server if the requester of a request could approve
// requests for its signer (SubjectAccessReview), as Kubernetes decides that
// (plugin/pkg/admission/certificates/approval): update on
// certificatesigningrequests/approval, and approve on the signer or on all of its domain.
// An error says why the question could not be asked.
func (c *Client) RequesterCanApprove(ctx context.Context, spec certificatesv1.CertificateSigningRequestSpec) (bool, error) {
	const group = certificatesv1.GroupName
	allowed, err := c.isAllowed(ctx, spec, authorizationv1.ResourceAttributes{Group: group, Resource: "certificatesigningrequests", Subresource: "approval", Verb: "update"})
	if err != nil || !allowed {
		return false, err
	}
	domain, _, _ := strings.Cut(spec.SignerName, "/")
	for _, signer := range []string{spec.SignerName, domain + "/*"} {
		allowed, err = c.isAllowed(ctx, spec, authorizationv1.ResourceAttributes{Group: group, Resource: "signers", Name: signer, Verb: "approve"})
		if err != nil || allowed {
			return allowed, err
		}
	}
	return false, nil
}

// isAllowed asks whether the requester that a spec names has a right.
func (c *Client) isAllowed(ctx context.Context, spec certificatesv1.CertificateSigningRequestSpec, right authorizationv1.ResourceAttributes) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(spec.Extra))
	for key, values := range spec.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	call, cancel := c.bounded(ctx)
	defer cancel()
	review, err := c.authorization.SubjectAccessReviews().Create(call, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: spec.Username, Groups: spec.Groups, UID: spec.UID, Extra: extra, ResourceAttributes: &right,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, c.explain(ctx, err, "ask what the requester is permitted to do")
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}
