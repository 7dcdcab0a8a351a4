package revoke

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

// Listed says that the list was changed, and that the API servers are waited for.
type Listed struct {
	event.Marker

	Blocked access.Blocked
}

// Holdings says what the ledger has of a user who is to be revoked: certificates that log in.
type Holdings struct {
	event.Marker

	User string
	// Own are the certificates of the user, which are refused with the user. Others are those of
	// other users that the user requested or approved, which are not.
	Own, Others []*ledger.ClientCertificate
	Now         time.Time
}

// LedgerUnread says why the ledger could not be read.
type LedgerUnread struct {
	event.Marker

	Reason error
}

// NotInForce says of one API server that the list is unknown to be in force there.
type NotInForce struct {
	event.Marker

	Server revocation.Server
}

// KeptFromBefore says of one API server that it also refuses what a list refused that was
// deleted.
type KeptFromBefore struct {
	event.Marker

	Node string
}

// NotRendered says what of the list is not in a file that is printed.
type NotRendered struct {
	event.Marker

	Problem revocation.Problem
}

// APIServersUnknown says why it is unknown which API servers the cluster has.
type APIServersUnknown struct {
	event.Marker

	Reason error
}
