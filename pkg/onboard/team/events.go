package team

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// MembersNotOnboarded says of several users, each with her line in the file, why they were
// not onboarded.
type MembersNotOnboarded struct {
	event.Marker

	Users  []Result
	Reason error
}

// Waits says how many users' certificates are waited for, and that nothing has happened
// for a while. AreApproved says that their requests are approved.
type Waits struct {
	event.Marker

	Waiting     int
	AreApproved bool
	Signer      string
}

// CertificatesProven says that a certificate has logged in, and that those of the same
// authority for the same kind of key are verified against that authority.
type CertificatesProven struct {
	event.Marker

	User           identity.User
	Key, Authority string
}

// MemberNotOnboarded says why one user among many was not onboarded. Line is where the
// file names her; 0 if there is none.
type MemberNotOnboarded struct {
	event.Marker

	User   string
	Line   int
	Reason error
}

// LifetimesDiffer says that certificates of several users have another lifetime than
// was asked for.
type LifetimesDiffer struct {
	event.Marker

	Asked, Given time.Duration
}

// RolesUnchecked says that a dry run had no cluster in which to look for roles and namespaces.
type RolesUnchecked struct {
	event.Marker
}
