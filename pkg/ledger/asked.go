package ledger

import (
	"cmp"
	"math"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// UnknownOfRequests are what a record does not hold of the request that its certificate was issued
// for, in words.
func UnknownOfRequests() []string {
	return []string{
		"requests for which no certificate was issued",
		"what a review finds in the bytes of a request: its encoding, signature, strength of the key, extensions and attributes",
		"the requester's UID, and what their credentials say besides user, groups and credential id",
		"which other requests were pending",
		"role bindings, permissions and the list of who is revoked as they were: those of now are used",
	}
}

// ReviewOfRequest reviews the request that a certificate was issued for, as far as the record holds
// it. isKnown is false if it does not hold who asked for what, and when.
func (c *ClientCertificate) ReviewOfRequest() (review *request.Review, isKnown bool) {
	spec := c.Spec
	isOther := slices.ContainsFunc([]string{Unreadable, AnotherKey, AnotherSubject, SeveralCertificates}, func(problem string) bool {
		return slices.Contains(spec.Problems, problem)
	})
	if isOther || spec.Request == nil || spec.Request.CreatedAt == nil || spec.Requester == nil || spec.Requester.User == "" || spec.Key.Fingerprint == "" {
		return nil, false
	}
	object := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{
			// Audit logs may leave the UID out.
			Name: spec.Request.Name, UID: types.UID(cmp.Or(spec.Request.UID, c.Name)), CreationTimestamp: *spec.Request.CreatedAt,
		},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			// The signer issues for no other usages that matter (Kubernetes pkg/controller/certificates/signer).
			SignerName: request.Signer, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
			Username: spec.Requester.User, Groups: spec.Requester.Groups,
		},
	}
	if id := spec.Requester.CredentialID; id != "" {
		object.Spec.Extra = map[string]certificatesv1.ExtraValue{access.CredentialIDKey: {id}}
	}
	if asked := spec.Request.LifetimeSeconds; asked > 0 {
		object.Spec.ExpirationSeconds = request.ExpirationSeconds(time.Duration(min(asked, math.MaxInt32)) * time.Second)
	}
	if decided := spec.Decision; decided != nil {
		condition := certificatesv1.CertificateSigningRequestCondition{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: decided.Reason, Message: decided.Message}
		if at := spec.Request.DecidedAt; at != nil {
			condition.LastUpdateTime = *at
		}
		object.Status.Conditions = append(object.Status.Conditions, condition)
	}
	review = request.ReviewOfRecorded(request.Of(object), identity.User{Name: spec.User, Groups: spec.Groups}, spec.Key.Algorithm, spec.Key.Fingerprint)
	review.State = request.Issued
	return review, true
}
