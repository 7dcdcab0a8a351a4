package ledger

import (
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Finalizer keeps a request from being removed until its certificate is recorded. It is added by
// the API server where that serves MutatingAdmissionPolicies, and by the recorder elsewhere.
const Finalizer = "csr-onboard.github.io/ledger"

// The annotations of a request that the API server guards once deploy/ is applied.
const (
	// DecidedByAnnotation is who approved or denied the request. The API server writes it.
	DecidedByAnnotation = "csr-onboard.github.io/decided-by"
	// PolicyAnnotation is the ApprovalPolicy by which the approver did. The approver alone can
	// write it, and only with its decision.
	PolicyAnnotation = "csr-onboard.github.io/policy"
)

// Approver is the user name of the approver's service account.
const Approver = "system:serviceaccount:csr-onboard-system:approver"

// GuardName is the name of the ValidatingAdmissionPolicy, and of its binding, that guards
// finalizer and annotations.
const GuardName = "csr-onboard-ledger"

// StampNames are the names of the MutatingAdmissionPolicies, and of their bindings, that add the
// finalizer and write who decided.
func StampNames() []string { return []string{"csr-onboard-hold", "csr-onboard-decided-by"} }

// RecorderNamespace and RecorderLease are where the recorder that leads says that it runs, and
// RecorderSilence is after how long it does not.
const (
	RecorderNamespace = Namespace
	RecorderLease     = "csr-onboard-ledger"
	RecorderSilence   = 15 * time.Second
)

// Hold is what to do with the finalizer of a request.
type Hold int

// What there is to do.
const (
	// Keep leaves it as it is.
	Keep Hold = iota
	// Add adds it, so that the request stays until its certificate is recorded.
	Add
	// Release removes it.
	Release
)

// HoldOf says what to do with the finalizer of a request. isRecorded reports that its certificate
// is on the ledger.
//
// A certificate is handed out by status.certificate alone. So a request that is being deleted and
// has none can be released, if the removal names the version that was seen: no certificate of it
// can exist then that anybody could have got.
func HoldOf(object *request.Request, isRecorded bool) Hold {
	isHeld := slices.Contains(object.Finalizers, Finalizer)
	isIssued := len(object.Status.Certificate) > 0
	isGoing := object.DeletionTimestamp != nil
	switch {
	case isHeld && (isIssued && isRecorded || !isIssued && isGoing):
		return Release
	case !isHeld && !isIssued && !isGoing:
		return Add
	}
	return Keep
}

// WithHold are the finalizers of a request after what there is to do.
func WithHold(finalizers []string, what Hold) []string {
	rest := slices.DeleteFunc(slices.Clone(finalizers), func(one string) bool { return what != Keep && one == Finalizer })
	if what == Add {
		rest = append(rest, Finalizer)
	}
	return rest
}
