package cluster

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Right is something that a client may do or not.
type Right struct {
	Group, Resource, Subresource, Name, Verb string
}

// RequestRight is the right to do something with all certificate signing requests, or with
// a subresource of them, such as "approval"; "" is the object itself.
func RequestRight(subresource, verb string) Right {
	return Right{Group: certificatesv1.GroupName, Resource: "certificatesigningrequests", Subresource: subresource, Verb: verb}
}

// MayI asks whether this client has a right (SelfSubjectAccessReview).
func (c *Client) MayI(ctx context.Context, right Right) (bool, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	review, err := c.api.Authorization.SelfSubjectAccessReviews().Create(call, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: right.Group, Resource: right.Resource, Subresource: right.Subresource, Name: right.Name, Verb: right.Verb,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, c.api.Explain(ctx, err, "check your permissions")
	}
	return review.Status.Allowed, nil
}

// CheckMayDecide asks the server whether this client may decide about requests
// for a signer, before anything is made or shown. A server that will not
// answer the question is taken for a yes: the approval itself will tell.
func (c *Client) CheckMayDecide(ctx context.Context, signer string) error {
	needed := []authorizationv1.ResourceAttributes{
		{Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Subresource: "approval", Verb: "update"},
		{Group: "certificates.k8s.io", Resource: "signers", Name: signer, Verb: "approve"},
	}
	type answer struct {
		allowed bool
		err     error
	}
	answers := make(chan answer, len(needed))
	for _, attributes := range needed {
		go func() {
			call, cancel := c.api.Bounded(ctx)
			defer cancel()
			review, err := c.api.Authorization.SelfSubjectAccessReviews().Create(call, &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
			}, metav1.CreateOptions{})
			answers <- answer{err == nil && review.Status.Allowed, err}
		}()
	}
	var denied bool
	var failedErr error
	for range needed {
		a := <-answers
		switch {
		case a.err != nil:
			failedErr = a.err
		case !a.allowed:
			denied = true
		}
	}
	switch {
	case denied:
		return outcome.WithHint(
			fmt.Errorf("forbidden: you cannot approve or deny certificate signing requests on %s", c.target.Endpoint.Server), "%s", connection.NeedToDecide(signer))
	case failedErr != nil && !connection.IsAnswer(failedErr):
		return c.api.Explain(ctx, failedErr, "check your permissions")
	}
	return nil
}

// RequesterCanApprove asks the server if the requester of a request could approve
// requests for its signer (SubjectAccessReview), as Kubernetes decides that
// (plugin/pkg/admission/certificates/approval): update on
// certificatesigningrequests/approval, and approve on the signer or on all of its domain.
// An error says why the question could not be asked.
func (c *Client) RequesterCanApprove(ctx context.Context, spec certificatesv1.CertificateSigningRequestSpec) (bool, error) {
	const group = certificatesv1.GroupName
	domain, _, _ := strings.Cut(spec.SignerName, "/")
	rights := []authorizationv1.ResourceAttributes{
		{Group: group, Resource: "certificatesigningrequests", Subresource: "approval", Verb: "update"},
		{Group: group, Resource: "signers", Name: spec.SignerName, Verb: "approve"},
		{Group: group, Resource: "signers", Name: domain + "/*", Verb: "approve"},
	}
	allowed, failures := make([]bool, len(rights)), make([]error, len(rights))
	// The server is asked all at once, because one answer takes as long as three.
	var asking sync.WaitGroup
	for i, right := range rights {
		asking.Go(func() {
			allowed[i], failures[i] = c.api.RequesterMay(ctx, spec, authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &right})
		})
	}
	asking.Wait()
	if err := cmp.Or(failures...); err != nil {
		return false, err
	}
	return allowed[0] && (allowed[1] || allowed[2]), nil
}
