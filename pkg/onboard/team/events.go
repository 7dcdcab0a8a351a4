package team

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/teamfile"
)

// MembersNotOnboarded says of several users, each with their line in the file, why they were
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
// file names them; 0 if there is none.
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

// FileRefused lists what is wrong with a file of users.
type FileRefused struct {
	event.Marker

	File     string
	Mistakes []teamfile.Mistake
}

// Summary is what came of many users.
type Summary struct {
	event.Marker

	Results []Result
}

// NextSteps is what remains to be done about the requests of many users.
type NextSteps struct {
	event.Marker

	// Approve is the administrator's command, and Again the one that fetches their kubeconfigs.
	Approve, Again identity.Command
}

// NextStepsOffline is what remains to be done about the requests of many users that were made
// without a cluster.
type NextStepsOffline struct {
	event.Marker

	// Fetch is the command that takes what comes back.
	Fetch identity.Command
	// Lifetimes says which users want which lifetime, since a request as a file holds none and
	// the approval has to name it.
	Lifetimes []LifetimeOfUsers
}

// LifetimeOfUsers is a lifetime that some users want; 0 is the default. Users are safe to print.
type LifetimeOfUsers struct {
	Lifetime time.Duration
	Users    []string
}
