package offboard

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// OffboardingPlanned is what an administrator is about to take away.
type OffboardingPlanned struct {
	event.Marker

	Plan *Plan
}

// IdentityBlocked says that an identity is blocked.
type IdentityBlocked struct {
	event.Marker

	Blocked access.Blocked
	// IsProven says that a write by the identity was seen refused, which a dry run does not
	// look for.
	IsProven bool
}

// BlockNotProven says why it is unknown whether a block is in force.
type BlockNotProven struct {
	event.Marker

	Reason error
}

// NotRemembered says why the cluster does not remember that a user was offboarded.
type NotRemembered struct {
	event.Marker

	Reason error
}

// RequestDenied says that a pending request was denied.
type RequestDenied struct {
	event.Marker

	Name string
}

// TakenAway says that a binding gives a user nothing any more.
type TakenAway struct {
	event.Marker

	Held access.Held
	User string
}

// NotTakenAway says what could not be taken away.
type NotTakenAway struct {
	event.Marker

	Reason error
}
