package policy

import (
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// The reasons with which the approver reports that it has not decided.
const (
	leftReason  = "LeftToPeople"
	errorReason = "PolicyError"
)

// ReportedReason is the word for an outcome in an event.
func ReportedReason(said request.PolicyOutcome) string {
	if said.IsError {
		return errorReason
	}
	return leftReason
}

// Reported is what an event of the approver says; false if it is about something else.
func Reported(reason, message string) (request.PolicyOutcome, bool) {
	return request.PolicyOutcome{IsError: reason == errorReason, Why: message}, reason == errorReason || reason == leftReason
}

// ApprovedAt is when a policy approved a request; zero if none did.
func ApprovedAt(object *request.Request) time.Time {
	return approvedAt(object, func(reason string) bool { return reason == request.PolicyApprovedReason })
}

// approvedByAnyoneAt is when a policy or a person approved a request; zero if none did.
func approvedByAnyoneAt(object *request.Request) time.Time {
	return approvedAt(object, func(string) bool { return true })
}

func approvedAt(object *request.Request, counts func(reason string) bool) time.Time {
	for _, condition := range object.Status.Conditions {
		if condition.Type == certificatesv1.CertificateApproved && counts(condition.Reason) {
			return condition.LastUpdateTime.Time
		}
	}
	return time.Time{}
}
