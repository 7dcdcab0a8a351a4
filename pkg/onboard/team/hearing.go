package team

import (
	"fmt"
	"sync"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// hearing passes on of what happens to each of many users what a person would read,
// and that once.
type hearing struct {
	mutex sync.Mutex
	tell  func(event.Event)
	now   func() time.Time
	told  map[string]bool
	// troubled is when the server was in trouble last, and toldOfIt when that was told.
	troubled, toldOfIt time.Time
}

// troublePause is how often it is told that a server is in trouble: thousands of calls
// may fail of it.
const troublePause = 10 * time.Second

func (h *hearing) hear(heard event.Event) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	switch e := heard.(type) {
	case onboard.Warning, onboard.Called, onboard.NotDecided, onboard.KeyRetired, RolesUnchecked, FileRefused, Summary, NextSteps, NextStepsOffline, onboard.Progress, MemberNotOnboarded, MembersNotOnboarded, Waits, CertificatesProven, LifetimesDiffer:
		h.tell(heard)
	case onboard.CertificateIssued:
		if e.IsOtherThanAsked() {
			h.tellOnce(fmt.Sprint(e.Asked, e.Given), LifetimesDiffer{Asked: e.Asked, Given: e.Given})
		}
	case onboard.NotRecorded:
		h.tellOnce(fmt.Sprintf("%T", e), e)
	case onboard.LifetimeChanged:
		h.tellOnce(fmt.Sprintf("%T%v", e, e), e)
	case onboard.StillFollowing:
		h.troubled = h.now()
		if h.troubled.Sub(h.toldOfIt) >= troublePause {
			h.toldOfIt = h.troubled
			h.tell(heard)
		}
	case onboard.NameWarned, onboard.FindingWarned, onboard.GrantsUnread, onboard.StandingUnread, destination.ServerNotVerified, destination.ServerIsLoopback, destination.ExecIsLocal, destination.KubeconfigNotPrivate:
		h.tellOnce(fmt.Sprintf("%+v", heard), heard)
	case onboard.KeyReady, onboard.RequestReady, onboard.RequestApproved, onboard.Recorded, onboard.Given, onboard.LoggedIn,
		destination.KubeconfigWritten, destination.CertificateWritten, destination.CacheFilled, destination.CacheKept:
		// What was done for each is in the result.
	case destination.KubeconfigJoined, onboard.Reviewed, onboard.StillWaiting, onboard.ContextsNotAsked, onboard.NextSteps, onboard.NextStepsOffline, onboard.ServerVersionUnknown:
		// They are of commands for one user.
	}
}

// sinceTrouble is how long ago the server was in trouble last.
func (h *hearing) sinceTrouble() time.Duration {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.now().Sub(h.troubled)
}

func (h *hearing) tellOnce(what string, heard event.Event) {
	if h.told[what] {
		return
	}
	if h.told == nil {
		h.told = map[string]bool{}
	}
	h.told[what] = true
	h.tell(heard)
}
