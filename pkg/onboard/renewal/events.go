package renewal

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// NotDue says that a certificate is not to be renewed yet.
type NotDue struct {
	event.Marker

	Context  string
	NotAfter time.Time
}

// OthersUnrenewed says that the user of a context has further certificates that were due to be
// renewed and were not.
type OthersUnrenewed struct {
	event.Marker

	Context, User string
	// Certificates is how many.
	Certificates int
}

// Due reports that a dry run would renew a certificate.
type Due struct {
	event.Marker

	Context string
	// User is whom the certificate is for.
	User     identity.User
	NotAfter time.Time
}

// Busy says that another process works on the renewal of a certificate.
type Busy struct {
	event.Marker

	Context string
}

// RenewedMeanwhile says that another process has renewed a certificate.
type RenewedMeanwhile struct {
	event.Marker

	Context  string
	NotAfter time.Time
}

// GroupsLost says which groups of a certificate the cluster does not know its holder
// in, so that they are not asked for again.
type GroupsLost struct {
	event.Marker

	User   string
	Groups []string
}

// Waits says that a renewal waits for an administrator or the signer, and that
// Resume continues with it.
type Waits struct {
	event.Marker

	Request  string
	State    request.State
	NotAfter time.Time
	Resume   string
}

// Rotated says that a kubeconfig user logs in with a new certificate.
type Rotated struct {
	event.Marker

	Context, Path string
	NotAfter      time.Time
}

// PairLeft says which files of the certificate before still are there, and until
// when it is good.
type PairLeft struct {
	event.Marker

	Paths    []string
	NotAfter time.Time
}

// NotRenewed says why one context among several was not renewed.
type NotRenewed struct {
	event.Marker

	Context string
	Reason  error
}

// NotStarted says why no renewal could be begun in the background.
type NotStarted struct {
	event.Marker

	Reason error
}

// InTrouble says what keeps a certificate from being renewed in the background,
// and what to do about it.
type InTrouble struct {
	event.Marker

	User            string
	NotAfter        time.Time
	Trouble, Advice string
}

// Awaited says that a command waits because its certificate is of no use any
// more.
type Awaited struct {
	event.Marker

	User     string
	NotAfter time.Time
}

// CacheMoved says that a credential cache belongs to the API server at another address, or
// with another certificate authority, from now on.
type CacheMoved struct {
	event.Marker

	Directory, From, To string
}

// CacheInUse says that a kubeconfig user logs in from the credential cache from now
// on.
type CacheInUse struct {
	event.Marker

	Context, Path string
}

// LifetimeNotAskable says that the present certificate is good for longer than a request
// can ask for, and what its renewal asks for.
type LifetimeNotAskable struct {
	event.Marker

	Present, Asked time.Duration
}
