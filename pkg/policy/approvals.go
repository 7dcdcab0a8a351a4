package policy

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Approvals are the approved requests on which bounds of policies depend, with those that are just about to be
// approved.
type Approvals struct {
	// byRequester are those that policies approved, and awaited those for a user of which the certificate is
	// not issued.
	byRequester, awaited times
}

// times are when requests were approved, by somebody's name.
type times map[string]map[types.UID]time.Time

// NewApprovals are none.
func NewApprovals() Approvals { return Approvals{times{}, times{}} }

// Reserve counts a request as approved before it is.
func (a Approvals) Reserve(requester, user string, uid types.UID, at time.Time) {
	a.byRequester.set(requester, uid, at)
	a.awaited.set(user, uid, at)
}

// Drop counts a request no longer, and reports whether it did count.
func (a Approvals) Drop(requester, user string, uid types.UID) (counted bool) {
	_, isApproved := a.byRequester[requester][uid]
	_, isAwaited := a.awaited[user][uid]
	a.byRequester.set(requester, uid, time.Time{})
	a.awaited.set(user, uid, time.Time{})
	return isApproved || isAwaited
}

// Take takes in a request for a user as it is now. What was reserved for one that is pending stays reserved.
// An approval counts since it was reserved here or since the cluster's time of it, whichever is later: with
// a clock that is ahead of the cluster's, the rate of a short period would be none.
func (a Approvals) Take(object *request.Request, user string) {
	state := request.StateOf(object)
	if state == request.Pending {
		return
	}
	at := ApprovedAt(object)
	if before := a.byRequester[object.Spec.Username][object.UID]; !at.IsZero() && before.After(at) {
		at = before
	}
	a.byRequester.set(object.Spec.Username, object.UID, at)
	var awaitedSince time.Time
	if state == request.Approved {
		if awaitedSince = approvedByAnyoneAt(object); awaitedSince.IsZero() {
			awaitedSince = object.CreationTimestamp.Time
		}
	}
	a.awaited.set(user, object.UID, awaitedSince)
}

// CountIn adds to facts what is approved next to their request, until a time: zero for everything.
func (a Approvals) CountIn(facts *Facts, until time.Time) {
	own := facts.Review.Object.UID
	counts := func(uid types.UID, at time.Time) bool { return uid != own && (until.IsZero() || !at.After(until)) }
	for uid, at := range a.byRequester[facts.Review.Requester] {
		if counts(uid, at) {
			facts.Approvals = append(facts.Approvals, at)
		}
	}
	for uid, at := range a.awaited[facts.Review.User.Name] {
		if counts(uid, at) {
			facts.Awaited++
		}
	}
}

// set keeps when a request was approved; zero for one that was not.
func (t times) set(name string, uid types.UID, at time.Time) {
	if at.IsZero() {
		if delete(t[name], uid); len(t[name]) == 0 {
			delete(t, name)
		}
		return
	}
	if t[name] == nil {
		t[name] = map[types.UID]time.Time{}
	}
	t[name][uid] = at
}
