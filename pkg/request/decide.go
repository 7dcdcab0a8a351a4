package request

import (
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// ApprovedReason is the reason that an approval by this program carries, so
// that audit logs and other tools can tell it from one by hand.
const ApprovedReason = "CSROnboardApproved"

// Approve returns a copy of the object with an approval added to its
// conditions. It keeps the conditions that are there, because the API server
// takes the list whole, and the object's UID and resourceVersion, so that the
// update fails if the object is no longer the reviewed one. The time of the
// update is left for the API server to fill in.
func Approve(object *certificatesv1.CertificateSigningRequest, message string) *certificatesv1.CertificateSigningRequest {
	decided := object.DeepCopy()
	decided.Status.Conditions = append(decided.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type:    certificatesv1.CertificateApproved,
		Status:  corev1.ConditionTrue,
		Reason:  ApprovedReason,
		Message: message,
	})
	return decided
}

// SameSpec says whether two versions of one object (the same UID) ask for the
// same thing, so that what was said of the one holds for the other.
func SameSpec(a, b *certificatesv1.CertificateSigningRequest) bool {
	return a.UID == b.UID && equality.Semantic.DeepEqual(a.Spec, b.Spec)
}
