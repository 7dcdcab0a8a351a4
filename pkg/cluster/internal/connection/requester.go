package connection

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RequesterMay asks the server whether the requester that a spec names is permitted to do what is asked
// (SubjectAccessReview), of which the user is filled in.
func (c *Connection) RequesterMay(ctx context.Context, spec certificatesv1.CertificateSigningRequestSpec, review authorizationv1.SubjectAccessReviewSpec) (bool, error) {
	review.User, review.Groups, review.UID = spec.Username, spec.Groups, spec.UID
	review.Extra = make(map[string]authorizationv1.ExtraValue, len(spec.Extra))
	for key, values := range spec.Extra {
		review.Extra[key] = authorizationv1.ExtraValue(values)
	}
	call, cancel := c.Bounded(ctx)
	defer cancel()
	answer, err := c.Authorization.SubjectAccessReviews().Create(call, &authorizationv1.SubjectAccessReview{Spec: review}, metav1.CreateOptions{})
	if err != nil {
		return false, c.Explain(ctx, err, "ask what the requester is permitted to do")
	}
	return answer.Status.Allowed && !answer.Status.Denied, nil
}
