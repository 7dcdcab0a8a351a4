package audit

import "github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"

// NothingListed says that the ledger has no certificate that is meant.
type NothingListed struct{ event.Marker }

// AuthoritiesUnknown says why certificates cannot be checked against the authorities whose client
// certificates the API server accepts.
type AuthoritiesUnknown struct {
	event.Marker

	Reason error
}

// Exported says where an export can be checked against.
type Exported struct {
	event.Marker

	// Head is the hash of the last line, and Lines how many there are.
	Head  string
	Lines int
}
