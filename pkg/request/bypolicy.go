package request

import (
	certificatesv1 "k8s.io/api/certificates/v1"
)

// The reasons that decisions by an approval policy carry.
const (
	PolicyApprovedReason = "CSROnboardApprovedByPolicy"
	PolicyDeniedReason   = "CSROnboardDeniedByPolicy"
)

// PolicyOutcome is why the approver has left a pending request to people.
type PolicyOutcome struct {
	// IsError says that a policy could not be evaluated.
	IsError bool
	// Why says why. It comes from outside: print it escaped.
	Why string
}

// String is the outcome in words, without why.
func (o PolicyOutcome) String() string {
	if o.IsError {
		return "error, left to people"
	}
	return "left to people"
}

// ByPolicy says in words what approval policies have done about a request, and why; "" for both if
// nothing. why comes from outside: print it escaped.
func (r *Review) ByPolicy() (what, why string) {
	for kind, done := range map[certificatesv1.RequestConditionType][2]string{
		certificatesv1.CertificateApproved: {PolicyApprovedReason, "approved by policy"},
		certificatesv1.CertificateDenied:   {PolicyDeniedReason, "denied by policy"},
	} {
		if found := condition(r.Object, kind); found != nil && found.Reason == done[0] {
			return done[1], found.Message
		}
	}
	if r.Left != nil {
		return r.Left.String(), r.Left.Why
	}
	return "", ""
}

// By is the decision with another reason, and with an annotation of the request that is written with
// it.
func (d Decision) By(reason, annotation, value string) Decision {
	d.reason, d.annotation, d.value = reason, annotation, value
	return d
}
