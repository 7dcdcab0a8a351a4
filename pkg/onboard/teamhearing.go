package onboard

import (
	"fmt"
	"sync"
)

// hearing passes on of what happens to each of many users what a person would read,
// and that once.
type hearing struct {
	mutex sync.Mutex
	tell  func(Event)
	told  map[string]bool
}

func (h *hearing) hear(event Event) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	switch e := event.(type) {
	case Progress, MemberNotOnboarded:
		h.tell(event)
		return
	case CertificateIssued:
		if e.IsOtherThanAsked() {
			h.tellOnce(fmt.Sprint(e.Asked, e.Given), LifetimesDiffer{Asked: e.Asked, Given: e.Given})
		}
	case StillFollowing:
		h.tellOnce(e.Trouble.Error(), event)
	case NameWarned, FindingWarned, GrantsUnread, ServerNotVerified, ServerIsLoopback, KubeconfigNotPrivate:
		h.tellOnce(fmt.Sprintf("%+v", event), event)
	}
}

func (h *hearing) tellOnce(what string, event Event) {
	if h.told[what] {
		return
	}
	if h.told == nil {
		h.told = map[string]bool{}
	}
	h.told[what] = true
	h.tell(event)
}
