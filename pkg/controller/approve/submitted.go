package approve

import (
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// largestRequest bounds spec.request, in bytes. What is larger is dropped before it is kept: the
// review refuses subjects half as large (request.Oversized).
const largestRequest = 32 << 10

// submitted are the requests that the cluster has. Those who use it hold the mutex of the world.
type submitted struct {
	requests map[types.UID]*known
	byUser   map[string]map[types.UID]*known
	// approvals are what is approved of them.
	approvals policy.Approvals
}

func newSubmitted() submitted {
	return submitted{requests: map[types.UID]*known{}, byUser: map[string]map[types.UID]*known{}, approvals: policy.NewApprovals()}
}

// known is a request that the cluster has.
type known struct {
	// object is the request, if nobody has decided about it; its decoded form is not kept.
	object *request.Request
	policy.Other
	uid         types.UID
	user        string
	created     time.Time
	certificate *policy.Certificate
	state       request.State
	// isOversized says that its request was too large to be kept.
	isOversized bool
}

// knownOf is what has to be kept of a request.
func knownOf(object *request.Request) *known {
	one := &known{uid: object.UID, created: object.CreationTimestamp.Time, state: request.StateOf(object)}
	one.Name, one.Requester, one.IsPending = object.Name, object.Spec.Username, one.state == request.Pending
	if object.Spec.SignerName != request.Signer {
		one.IsPending = false
		return one
	}
	if len(object.Spec.Request) > largestRequest {
		// Who is in it does not matter: it is left to people.
		if one.isOversized = true; one.IsPending {
			one.object = request.Of(trimmed(object.CertificateSigningRequest, true))
		}
		return one
	}
	if decoded, err := object.PKCS10(); err == nil {
		one.user, one.Key = decoded.User().Name, decoded.Fingerprint()
	}
	if certificate, isIssued := policy.CertificateOf(object); isIssued {
		one.certificate = certificate
	}
	if one.IsPending {
		one.object = request.Of(trimmed(object.CertificateSigningRequest, false))
	}
	return one
}

// trimmed is a copy of an object without what no decision depends on. An update leaves the managed
// fields as they are where it has none (Kubernetes managedfields, fieldmanager.go).
func trimmed(object *certificatesv1.CertificateSigningRequest, isOversized bool) *certificatesv1.CertificateSigningRequest {
	kept := *object
	kept.ManagedFields = nil
	if isOversized {
		kept.Spec.Request = nil
	}
	return &kept
}

// replace takes in a version of a request, unless a later one is known, and returns what is known of it.
func (s *submitted) replace(one *known, object *request.Request) *known {
	if before := s.requests[one.uid]; before != nil && progress(before.state) > progress(one.state) {
		return before
	}
	s.remove(one.uid)
	s.keep(one, object)
	return one
}

// progress orders the states that a request can have one after the other.
func progress(state request.State) int {
	switch state {
	case request.Pending:
		return 0
	case request.Approved:
		return 1
	}
	return 2
}

// keep adds what is known of a request.
func (s *submitted) keep(one *known, object *request.Request) {
	s.requests[one.uid] = one
	if s.byUser[one.user] == nil {
		s.byUser[one.user] = map[types.UID]*known{}
	}
	s.byUser[one.user][one.uid] = one
	s.approvals.Take(object, one.user)
}

// remove forgets a version of a request. The certificate that it had is valid all the same.
func (s *submitted) remove(uid types.UID) {
	before, isKnown := s.requests[uid]
	if !isKnown {
		return
	}
	delete(s.requests, uid)
	delete(s.byUser[before.user], uid)
	if len(s.byUser[before.user]) == 0 {
		delete(s.byUser, before.user)
	}
}

// drop forgets a request that does not exist any more, and returns what was known of it.
func (s *submitted) drop(uid types.UID) *known {
	before := s.requests[uid]
	if before != nil {
		s.approvals.Drop(before.Requester, before.user, uid)
	}
	s.remove(uid)
	return before
}

// others are other requests for the user of a review: any one, and one that could stand in its way,
// since there may be thousands.
func (s *submitted) others(review *request.Review, isLater func(time.Time) bool) []policy.Other {
	var others []policy.Other
	for uid, other := range s.byUser[review.User.Name] {
		if uid == review.Object.UID || isLater(other.created) {
			continue
		}
		if isRival := other.IsPending && other.Requester == review.Requester && other.Key != review.Fingerprint; isRival {
			return append(others, other.Other)
		}
		if len(others) == 0 {
			others = append(others, other.Other)
		}
	}
	return others
}
