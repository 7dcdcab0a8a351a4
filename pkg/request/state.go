package request

import (
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// State is where a request stands on its way to a certificate.
type State string

// The states, in the order that a request goes through them. Denied, Failed
// and Issued are final.
const (
	Pending  State = "Pending"
	Approved State = "Approved"
	Issued   State = "Issued"
	Denied   State = "Denied"
	Failed   State = "Failed"
)

// StateOf reads a request's state from its conditions and certificate. A
// certificate without an approval, which the API server lets a signer store,
// does not count as issued.
func StateOf(object *Request) State {
	switch {
	case condition(object, certificatesv1.CertificateDenied) != nil:
		return Denied
	case condition(object, certificatesv1.CertificateFailed) != nil:
		return Failed
	case condition(object, certificatesv1.CertificateApproved) == nil:
		return Pending
	case len(object.Status.Certificate) == 0:
		return Approved
	}
	return Issued
}

// StateMessage is what the approver or the signer had to say about the state:
// the condition's message, else its reason, else "". It is somebody else's
// text: print it escaped.
func StateMessage(object *Request) string {
	for _, kind := range []certificatesv1.RequestConditionType{
		certificatesv1.CertificateDenied, certificatesv1.CertificateFailed, certificatesv1.CertificateApproved,
	} {
		if c := condition(object, kind); c != nil {
			if c.Message != "" {
				return c.Message
			}
			return c.Reason
		}
	}
	return ""
}

// CheckOpen reports whether a request can still become a certificate. Denied and
// failed ones cannot, ever; the error is an outcome.ErrRejected with what the
// approver or the signer had to say.
func CheckOpen(object *Request) error {
	state := StateOf(object)
	if state != Denied && state != Failed {
		return nil
	}
	message := identity.Printable(StateMessage(object))
	if message == "" {
		message = "no reason was given"
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrRejected, "certificate signing request %q was %s: %s", object.Name, strings.ToLower(string(state)), message),
		"this cannot be undone; have it deleted (%s), and run new-user again", identity.NewCommand("kubectl delete csr").Argument(object.Name))
}

// LifetimeOf is how long a certificate the object asks for; 0 if it does not
// say.
func LifetimeOf(object *Request) time.Duration {
	if object.Spec.ExpirationSeconds == nil {
		return 0
	}
	return time.Duration(*object.Spec.ExpirationSeconds) * time.Second
}

func condition(object *Request, kind certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequestCondition {
	for i := range object.Status.Conditions {
		c := &object.Status.Conditions[i]
		if c.Type == kind && c.Status != corev1.ConditionFalse {
			return c
		}
	}
	return nil
}
