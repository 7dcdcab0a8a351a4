package controlling

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
)

// RequesterMay asks the server whether the requester of a request is permitted to do something. One of
// resource and path is given.
func (c *Client) RequesterMay(ctx context.Context, spec certificatesv1.CertificateSigningRequestSpec, resource *authorizationv1.ResourceAttributes, path *authorizationv1.NonResourceAttributes) (bool, error) {
	return c.api.RequesterMay(ctx, spec, authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: resource, NonResourceAttributes: path})
}
