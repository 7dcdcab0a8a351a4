package onboard

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Event is something that happened on the way, for a person to follow. It is
// one of the types of this file.
type Event interface{ isEvent() }

// NameWarned is a warning about a name that was asked for.
type NameWarned struct{ Problem identity.Problem }

// FindingWarned is a finding about a request that is approved in the same run as
// it was made. Whoever runs that knows that she is not the user.
type FindingWarned struct{ Finding request.Finding }

// GrantsUnread says why it could not be looked up what the user and her groups may
// do already.
type GrantsUnread struct{ Reason string }

// ContextsNotAsked says how many contexts' API servers were not asked, because nobody
// chose those contexts.
type ContextsNotAsked struct{ Contexts int }

// StandingUnread says why it could not be looked up whether the user is blocked, was
// offboarded, or has other certificates.
type StandingUnread struct{ Reason string }

// KeyReady says that there is a private key to work with: Created now, or
// found from an earlier run. CopiedFrom is the file that a new one is a copy of; "" if it
// was generated.
type KeyReady struct {
	Path        string
	CopiedFrom  string
	Kind        string
	Fingerprint string
	Created     bool
}

// KeyRetired says that the private key of an expired certificate was moved to Path, because
// another is created in its place.
type KeyRetired struct {
	// Request is the request that the expired certificate is in.
	Request  string
	NotAfter time.Time
	Path     string
}

// RequestReady says that the request stands on the cluster: Created now, or
// found from an earlier run in the given state.
type RequestReady struct {
	Name    string
	Server  string
	State   request.State
	Created bool
	// AskedLifetime is what this run asks for and StoredLifetime what the
	// object asks for, which can't be changed; 0 is none.
	AskedLifetime, StoredLifetime time.Duration
}

// LifetimeChanged says that the cluster has stored a new request with another lifetime
// than was asked for, as a mutating admission policy does; Stored is 0 if it asks for none.
type LifetimeChanged struct{ Asked, Stored time.Duration }

// CandidatesFound says that several requests claim one name.
type CandidatesFound struct {
	Name    string
	Reviews []*request.Review
}

// Reviewed is what an administrator is about to decide.
type Reviewed struct {
	Review *request.Review
	Now    time.Time
}

// ToBeGiven is what a user gets if her request is approved.
type ToBeGiven struct{ Wanted []access.Wanted }

// Given says that a holder has a grant, by a binding that is there now.
type Given struct{ Wanted access.Wanted }

// RolesUnchecked says that a dry run had no cluster in which to look for roles and namespaces.
type RolesUnchecked struct{}

// UserUnknown says that nothing on the cluster names a user.
type UserUnknown struct{ Name string }

// OffboardingPlanned is what an administrator is about to take away.
type OffboardingPlanned struct{ Plan *Offboarding }

// IdentityBlocked says that an identity is blocked.
type IdentityBlocked struct {
	Blocked access.Blocked
	// IsProven says that a write by the identity was seen refused, which a dry run does not
	// look for.
	IsProven bool
}

// BlockNotProven says why it is unknown whether a block is in force.
type BlockNotProven struct{ Reason error }

// NotRemembered says why the cluster does not remember that a user was offboarded.
type NotRemembered struct{ Reason error }

// RequestDenied says that a pending request was denied.
type RequestDenied struct{ Name string }

// TakenAway says that a binding gives a user nothing any more.
type TakenAway struct {
	Held access.Held
	User string
}

// NotTakenAway says what could not be taken away.
type NotTakenAway struct{ Reason error }

// RequestApproved says that a request was approved on the way to its certificate.
type RequestApproved struct{ Name string }

// AlreadyDecided says that there was nothing left to decide, because it had been
// decided the same way.
type AlreadyDecided struct {
	Decision request.Decision
	Name     string
	Message  string
}

// NotDecided says why one request among several was left alone.
type NotDecided struct {
	Decision request.Decision
	Reason   error
}

// NothingPending says that there is no request to decide about.
type NothingPending struct{}

// StillWaiting says how the wait for a certificate stands.
type StillWaiting struct{ Sighting cluster.Sighting }

// StillFollowing says why a list can't be kept up just now.
type StillFollowing struct{ Trouble error }

// CertificateIssued says that the certificate is there and was checked.
type CertificateIssued struct {
	NotAfter time.Time
	// Asked and Given are lifetimes; clusters shorten them silently. Asked is 0
	// if nothing was asked for.
	Asked, Given time.Duration
}

// signersTolerance is what a signer may add to or take from a lifetime by
// backdating the certificate's start (Kubernetes
// pkg/controller/certificates/authority/policies.go).
const signersTolerance = 6 * time.Minute

// IsOtherThanAsked says whether the lifetime is not the one that was asked for.
func (e CertificateIssued) IsOtherThanAsked() bool {
	return e.Asked > 0 && (e.Given < e.Asked-signersTolerance || e.Given > e.Asked+signersTolerance)
}

// LifetimesDiffer says that certificates of several users have another lifetime than
// was asked for.
type LifetimesDiffer struct{ Asked, Given time.Duration }

// LifetimeNotAskable says that the present certificate is good for longer than a request
// can ask for, and what its renewal asks for.
type LifetimeNotAskable struct{ Present, Asked time.Duration }

// MemberNotOnboarded says why one user among many was not onboarded. Line is where the
// file names her; 0 if there is none.
type MemberNotOnboarded struct {
	User   string
	Line   int
	Reason error
}

// Progress says how far it is with something that is done to many users, Done of Total,
// and how many of those failed.
type Progress struct {
	// Doing says what is done: "onboarding".
	Doing               string
	Done, Failed, Total int
}

// ClusterUnreachable says why a certificate could not be tried.
type ClusterUnreachable struct{ Reason error }

// RequestGivenTwice says that a file holds the same request as an earlier one.
type RequestGivenTwice struct{ Source, First string }

// MembersNotOnboarded says of several users, each with her line in the file, why they were
// not onboarded.
type MembersNotOnboarded struct {
	Users  []MemberResult
	Reason error
}

// TeamWaits says how many users' certificates are waited for, and that nothing has happened
// for a while. AreApproved says that their requests are approved.
type TeamWaits struct {
	Waiting     int
	AreApproved bool
	Signer      string
}

// CertificatesProven says that a certificate has logged in, and that those of the same
// authority for the same kind of key are verified against that authority.
type CertificatesProven struct {
	User           identity.User
	Key, Authority string
}

// LoggedIn is whom the cluster takes the holder of the new certificate for.
type LoggedIn struct{ User identity.User }

// KubeconfigWritten says that the kubeconfig is on the disk.
type KubeconfigWritten struct {
	Path    string
	Context string
	// LoginChecked says whether its certificate has logged in.
	LoginChecked bool
}

// NotHandedOff says why nothing came of one approved request among several.
type NotHandedOff struct{ Reason error }

// HandoffWritten says that a user's handoff file is on the disk.
type HandoffWritten struct {
	Path string
	User identity.User
}

// HandoffToConfirm is what an administrator tells a user apart from the handoff file, so
// that a file that was exchanged on the way is noticed.
type HandoffToConfirm struct {
	User   identity.User
	Server string
	// Authorities are those of the server; none where it is checked against the
	// system's, or not at all.
	Authorities []HandoffAuthority
	// KeyFingerprint is of the key that the certificate is for.
	KeyFingerprint string
	// Command is what the user runs.
	Command string
}

// HandoffEndpoint is where a handoff leads, before anything is sent there.
type HandoffEndpoint struct {
	Server      string
	Authorities []HandoffAuthority
	// RestsOnFile says that the person has not confirmed it: it is accepted because the
	// authorities have signed the certificate, and both are from the file.
	RestsOnFile bool
}

// CertificateWritten says that a certificate that was signed here is on the disk.
type CertificateWritten struct {
	Path string
	User identity.User
}

// AuthorityKeyNotPrivate says that others may read an authority's private key.
type AuthorityKeyNotPrivate struct{ Path string }

// PassphraseNotPrivate says that others may read the file with the passphrase of an
// authority's private key.
type PassphraseNotPrivate struct{ Path string }

// SignerTrustedForServer says that a handoff has the authority that signs the user's
// certificate vouch for the API server too, because no other was named.
type SignerTrustedForServer struct{ Authority, Server string }

// SignerAssumed says that a manifest names no signer, and which one it is taken to mean.
type SignerAssumed struct{ Source, Signer string }

// KubeconfigNotPrivate says that a kubeconfig which was merged into, and now holds a
// private key more, can be read by others than its owner.
type KubeconfigNotPrivate struct{ Path string }

// ExecIsLocal says that a kubeconfig for somebody else logs in from a credential cache,
// which is on this machine only.
type ExecIsLocal struct{}

// ServerIsLoopback says that a kubeconfig for somebody else holds an address
// that only this machine reaches.
type ServerIsLoopback struct{ Server string }

// CertificatesNotReaching says that client certificates do not reach the API server at an
// address, so that the kubeconfigs with it do not log in.
type CertificatesNotReaching struct{ Server string }

// ServerNotVerified says that the kubeconfig has its user not check the server's
// certificate, as the one that it was made from.
type ServerNotVerified struct{ Server string }

// NotDue says that a certificate is not to be renewed yet.
type NotDue struct {
	Context  string
	NotAfter time.Time
}

// RenewalBusy says that another process works on the renewal of a certificate.
type RenewalBusy struct{ Context string }

// RenewedMeanwhile says that another process has renewed a certificate.
type RenewedMeanwhile struct {
	Context  string
	NotAfter time.Time
}

// GroupsLost says which groups of a certificate the cluster does not know its holder
// in, so that they are not asked for again.
type GroupsLost struct {
	User   string
	Groups []string
}

// RenewalWaits says that a renewal waits for an administrator or the signer, and that
// Resume goes on with it.
type RenewalWaits struct {
	Request  string
	State    request.State
	NotAfter time.Time
	Resume   string
}

// Rotated says that a kubeconfig user logs in with a new certificate.
type Rotated struct {
	Context, Path string
	NotAfter      time.Time
}

// PairLeft says which files of the certificate before still are there, and until
// when it is good.
type PairLeft struct {
	Paths    []string
	NotAfter time.Time
}

// NotRenewed says why one context among several was not renewed.
type NotRenewed struct {
	Context string
	Reason  error
}

// RenewalNotStarted says why no renewal could be begun in the background.
type RenewalNotStarted struct{ Reason error }

// RenewalTrouble says what keeps a certificate from being renewed in the background,
// and what to do about it.
type RenewalTrouble struct {
	User            string
	NotAfter        time.Time
	Trouble, Advice string
}

// RenewalAwaited says that a command waits because its certificate is of no use any
// more.
type RenewalAwaited struct {
	User     string
	NotAfter time.Time
}

// CacheFilled says that a credential cache has a pair now.
type CacheFilled struct{ Directory string }

// CacheKept says that a credential cache has a pair that is good for longer, which
// stays.
type CacheKept struct {
	Directory string
	NotAfter  time.Time
}

// CacheMoved says that a credential cache belongs to the API server at another address, or
// with another certificate authority, from now on.
type CacheMoved struct{ Directory, From, To string }

// CacheInUse says that a kubeconfig user logs in from the credential cache from now
// on.
type CacheInUse struct{ Context, Path string }

func (NotDue) isEvent()                  {}
func (RenewalBusy) isEvent()             {}
func (RenewedMeanwhile) isEvent()        {}
func (GroupsLost) isEvent()              {}
func (RenewalWaits) isEvent()            {}
func (Rotated) isEvent()                 {}
func (PairLeft) isEvent()                {}
func (NotRenewed) isEvent()              {}
func (RenewalNotStarted) isEvent()       {}
func (RenewalTrouble) isEvent()          {}
func (RenewalAwaited) isEvent()          {}
func (CacheFilled) isEvent()             {}
func (CacheKept) isEvent()               {}
func (CacheMoved) isEvent()              {}
func (CacheInUse) isEvent()              {}
func (NameWarned) isEvent()              {}
func (FindingWarned) isEvent()           {}
func (GrantsUnread) isEvent()            {}
func (ContextsNotAsked) isEvent()        {}
func (StandingUnread) isEvent()          {}
func (KeyReady) isEvent()                {}
func (RequestReady) isEvent()            {}
func (CandidatesFound) isEvent()         {}
func (LifetimeChanged) isEvent()         {}
func (Reviewed) isEvent()                {}
func (ToBeGiven) isEvent()               {}
func (Given) isEvent()                   {}
func (RolesUnchecked) isEvent()          {}
func (UserUnknown) isEvent()             {}
func (OffboardingPlanned) isEvent()      {}
func (IdentityBlocked) isEvent()         {}
func (BlockNotProven) isEvent()          {}
func (NotRemembered) isEvent()           {}
func (RequestDenied) isEvent()           {}
func (TakenAway) isEvent()               {}
func (NotTakenAway) isEvent()            {}
func (RequestApproved) isEvent()         {}
func (AlreadyDecided) isEvent()          {}
func (NotDecided) isEvent()              {}
func (NothingPending) isEvent()          {}
func (StillWaiting) isEvent()            {}
func (StillFollowing) isEvent()          {}
func (CertificateIssued) isEvent()       {}
func (ClusterUnreachable) isEvent()      {}
func (RequestGivenTwice) isEvent()       {}
func (MembersNotOnboarded) isEvent()     {}
func (TeamWaits) isEvent()               {}
func (CertificatesProven) isEvent()      {}
func (LoggedIn) isEvent()                {}
func (KubeconfigWritten) isEvent()       {}
func (NotHandedOff) isEvent()            {}
func (HandoffWritten) isEvent()          {}
func (HandoffToConfirm) isEvent()        {}
func (HandoffEndpoint) isEvent()         {}
func (CertificateWritten) isEvent()      {}
func (AuthorityKeyNotPrivate) isEvent()  {}
func (PassphraseNotPrivate) isEvent()    {}
func (SignerTrustedForServer) isEvent()  {}
func (SignerAssumed) isEvent()           {}
func (KubeconfigNotPrivate) isEvent()    {}
func (ServerIsLoopback) isEvent()        {}
func (LifetimesDiffer) isEvent()         {}
func (LifetimeNotAskable) isEvent()      {}
func (MemberNotOnboarded) isEvent()      {}
func (Progress) isEvent()                {}
func (ServerNotVerified) isEvent()       {}
func (CertificatesNotReaching) isEvent() {}
func (ExecIsLocal) isEvent()             {}
func (KeyRetired) isEvent()              {}
