package request

import (
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The reasons that decisions by csr-onboard carry, so that audit logs and other
// tools can tell them from ones by hand.
const (
	ApprovedReason = "CSROnboardApproved"
	DeniedReason   = "CSROnboardDenied"
)

// Decision is what an approver decides about a request. It cannot be taken back.
type Decision struct {
	// Verb is the decision as a command, "approve".
	Verb string
	// Done is the decision as it is told afterwards, "approved", and Doing as it is
	// told while it continues, "approving".
	Done, Doing string

	condition certificatesv1.RequestConditionType
	reason    string
	// annotation is written with the decision, and value is its value; "" for none.
	annotation, value string
	// states are those that a request which was decided this way may be in.
	states []State
}

// Approval has the request signed.
func Approval() Decision {
	return Decision{"approve", "approved", "approving", certificatesv1.CertificateApproved, ApprovedReason, "", "", []State{Issued, Approved}}
}

// Denial ends the request; its message is for the user who waits.
func Denial() Decision {
	return Decision{"deny", "denied", "denying", certificatesv1.CertificateDenied, DeniedReason, "", "", []State{Denied}}
}

// Is reports whether a request in this state was decided this way already.
func (d Decision) Is(state State) bool { return slices.Contains(d.states, state) }

// Message is a decision's message with who decided, and the version of csr-onboard that
// did it, so that people and audit logs can tell. message is optional.
func (d Decision) Message(message, who, version string) string {
	by := fmt.Sprintf("%s by %s with kubectl csr-onboard %s", d.Done, who, version)
	if message == "" {
		return by
	}
	return message + " (" + by + ")"
}

// Apply returns a copy of the object with the decision added to its conditions.
// It keeps the conditions that are there, because the API server takes the list
// whole, and the object's UID and resourceVersion, so that the update fails if
// the object is not the reviewed one. The time of the update is left for
// the API server to fill in.
func (d Decision) Apply(object *Request, message string) *certificatesv1.CertificateSigningRequest {
	decided := object.DeepCopy()
	decided.Status.Conditions = append(decided.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type:    d.condition,
		Status:  corev1.ConditionTrue,
		Reason:  d.reason,
		Message: message,
	})
	if d.annotation != "" {
		metav1.SetMetaDataAnnotation(&decided.ObjectMeta, d.annotation, d.value)
	}
	return decided
}

// SameSpec reports whether two versions of one object (the same UID) ask for the
// same thing, so that what was said of the one holds for the other.
func SameSpec(a, b *Request) bool {
	return a.UID == b.UID && equality.Semantic.DeepEqual(a.Spec, b.Spec)
}
