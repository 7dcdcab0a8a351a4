package onboard

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// NameWarned is a warning about a name that was asked for.
type NameWarned struct {
	event.Marker

	Problem identity.Problem
}

// FindingWarned is a finding about a request that is approved in the same run as
// it was made. A user who runs that knows that it is for somebody else.
type FindingWarned struct {
	event.Marker

	Finding request.Finding
}

// GrantsUnread says why it could not be looked up what the user and their groups may
// do already.
type GrantsUnread struct {
	event.Marker

	Reason string
}

// ContextsNotAsked says how many contexts' API servers were not asked, because nobody
// chose those contexts.
type ContextsNotAsked struct {
	event.Marker

	Contexts int
}

// StandingUnread says why it could not be looked up whether the user is blocked, was
// offboarded, or has other certificates.
type StandingUnread struct {
	event.Marker

	Reason string
}

// KeyReady says that there is a private key to work with: Created now, or
// found from an earlier run. CopiedFrom is the file that a new one is a copy of; "" if it
// was generated.
type KeyReady struct {
	event.Marker

	Path        string
	CopiedFrom  string
	Kind        string
	Fingerprint string
	Created     bool
}

// KeyRetired says that the private key of an expired certificate was moved to Path, because
// another is created in its place.
type KeyRetired struct {
	event.Marker

	// Request is the request that the expired certificate is in.
	Request  string
	NotAfter time.Time
	Path     string
}

// RequestReady says that the request stands on the cluster: Created now, or
// found from an earlier run in the given state.
type RequestReady struct {
	event.Marker

	Name    string
	Server  string
	State   request.State
	Created bool
	// AskedLifetime is what this run asks for and StoredLifetime what the
	// object asks for, which cannot be changed; 0 is none.
	AskedLifetime, StoredLifetime time.Duration
}

// LifetimeChanged says that the cluster has stored a new request with another lifetime
// than was asked for, as a mutating admission policy does; Stored is 0 if it asks for none.
type LifetimeChanged struct {
	event.Marker

	Asked, Stored time.Duration
}

// Reviewed is what an administrator is about to decide.
type Reviewed struct {
	event.Marker

	Review *request.Review
	Now    time.Time
	// Clusters are the contexts of the clusters that the same request is on, if there are several.
	Clusters []string
}

// Given says that a holder has a grant, by a binding that is there now.
type Given struct {
	event.Marker

	Wanted access.Wanted
}

// RequestApproved says that a request was approved on the way to its certificate.
type RequestApproved struct {
	event.Marker

	Name string
}

// NotDecided says why one request among several was left alone.
type NotDecided struct {
	event.Marker

	Decision request.Decision
	Reason   error
}

// Recorded says that the certificate of a request was recorded on the ledger, for want of a recorder.
type Recorded struct {
	event.Marker

	Request string
}

// NotRecorded says why it was not.
type NotRecorded struct {
	event.Marker

	Reason error
}

// StillWaiting says how the wait for a certificate stands.
type StillWaiting struct {
	event.Marker

	Sighting requests.Sighting
}

// StillFollowing says why a list cannot be kept up just now.
type StillFollowing struct {
	event.Marker

	Trouble error
}

// Called reports one call to an API server, where the log level asks for it.
type Called struct {
	event.Marker
	cluster.Call
}

// CertificateIssued says that the certificate is there and was checked.
type CertificateIssued struct {
	event.Marker

	NotAfter time.Time
	// Issuer is the name of the certificate authority in the certificate, as RFC 2253 writes it.
	Issuer string
	// Asked and Given are lifetimes; clusters shorten them silently. Asked is 0
	// if nothing was asked for.
	Asked, Given time.Duration
}

// signersTolerance is what a signer may add to or take from a lifetime by
// backdating the certificate's start (Kubernetes
// pkg/controller/certificates/authority/policies.go).
const signersTolerance = 6 * time.Minute

// IsOtherThanAsked reports whether the lifetime is not the one that was asked for.
func (e CertificateIssued) IsOtherThanAsked() bool {
	return e.Asked > 0 && (e.Given < e.Asked-signersTolerance || e.Given > e.Asked+signersTolerance)
}

// Progress says how far it is with something that is done to many users, Done of Total,
// and how many of those failed.
type Progress struct {
	event.Marker

	// Doing says what is done: "onboarding".
	Doing               string
	Done, Failed, Total int
}

// LoggedIn is whom the cluster takes the holder of the new certificate for.
type LoggedIn struct {
	event.Marker

	User identity.User
}

// Warning is a warning in words, such as one of the API server's.
type Warning struct {
	event.Marker

	// Text is escaped when it is printed.
	Text string
}

// NextSteps is what remains to be done about a request that was submitted.
type NextSteps struct {
	event.Marker

	Object *request.Request
	// Fetch is the command that fetches the kubeconfig.
	Fetch identity.Command
}

// NextStepsOffline is what remains to be done about a request that was made without a cluster:
// what to send, what to tell, and what to run.
type NextStepsOffline struct {
	event.Marker

	// Path is the request, and Fingerprint that of its key.
	Path, Fingerprint string
	// Approve is the administrator's command, and Fetch the user's.
	Approve, Fetch identity.Command
}

// ServerVersionUnknown says why the server's version is unknown.
type ServerVersionUnknown struct {
	event.Marker

	Reason error
}
