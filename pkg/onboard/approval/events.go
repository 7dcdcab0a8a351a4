package approval

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// CandidatesFound says that several requests claim one name.
type CandidatesFound struct {
	onboard.Marker

	Name    string
	Reviews []*request.Review
}

// ToBeGiven is what a user gets if her request is approved.
type ToBeGiven struct {
	onboard.Marker

	Wanted []access.Wanted
}

// AlreadyDecided says that there was nothing left to decide, because it had been
// decided the same way.
type AlreadyDecided struct {
	onboard.Marker

	Decision request.Decision
	Name     string
	Message  string
}

// NothingPending says that there is no request to decide about.
type NothingPending struct {
	onboard.Marker
}

// RequestGivenTwice says that a file holds the same request as an earlier one.
type RequestGivenTwice struct {
	onboard.Marker

	Source, First string
}

// SignerAssumed says that a manifest names no signer, and which one it is taken to mean.
type SignerAssumed struct {
	onboard.Marker

	Source, Signer string
}
