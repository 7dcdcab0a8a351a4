package approval

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// CandidatesFound says that several requests claim one name.
type CandidatesFound struct {
	event.Marker

	Name    string
	Reviews []*request.Review
}

// ToBeGiven is what a user gets if their request is approved.
type ToBeGiven struct {
	event.Marker

	Wanted []access.Wanted
}

// AlreadyDecided says that there was nothing left to decide, because it had been
// decided the same way.
type AlreadyDecided struct {
	event.Marker

	Decision request.Decision
	Name     string
	Message  string
}

// NothingPending says that no request is pending.
type NothingPending struct {
	event.Marker
}

// RequestGivenTwice says that a file holds the same request as an earlier one.
type RequestGivenTwice struct {
	event.Marker

	Source, First string
}

// SignerAssumed says that a manifest names no signer, and which one it is taken to mean.
type SignerAssumed struct {
	event.Marker

	Source, Signer string
}

// NothingListed says that a list of requests is empty.
type NothingListed struct{ event.Marker }

// NothingDecided says that what was shown was only shown.
type NothingDecided struct {
	event.Marker

	Decision request.Decision
}
