package onboard

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Event is something that happened on the way, for a person to follow. Each is a type that
// embeds Marker, declared in events.go of the package that emits it.
type Event interface{ isEvent() }

// Marker makes a type that embeds it an Event.
type Marker struct{}

func (Marker) isEvent() {}

// NameWarned is a warning about a name that was asked for.
type NameWarned struct {
	Marker

	Problem identity.Problem
}

// FindingWarned is a finding about a request that is approved in the same run as
// it was made. Whoever runs that knows that she is not the user.
type FindingWarned struct {
	Marker

	Finding request.Finding
}

// GrantsUnread says why it could not be looked up what the user and her groups may
// do already.
type GrantsUnread struct {
	Marker

	Reason string
}

// ContextsNotAsked says how many contexts' API servers were not asked, because nobody
// chose those contexts.
type ContextsNotAsked struct {
	Marker

	Contexts int
}

// StandingUnread says why it could not be looked up whether the user is blocked, was
// offboarded, or has other certificates.
type StandingUnread struct {
	Marker

	Reason string
}

// KeyReady says that there is a private key to work with: Created now, or
// found from an earlier run. CopiedFrom is the file that a new one is a copy of; "" if it
// was generated.
type KeyReady struct {
	Marker

	Path        string
	CopiedFrom  string
	Kind        string
	Fingerprint string
	Created     bool
}

// KeyRetired says that the private key of an expired certificate was moved to Path, because
// another is created in its place.
type KeyRetired struct {
	Marker

	// Request is the request that the expired certificate is in.
	Request  string
	NotAfter time.Time
	Path     string
}

// RequestReady says that the request stands on the cluster: Created now, or
// found from an earlier run in the given state.
type RequestReady struct {
	Marker

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
type LifetimeChanged struct {
	Marker

	Asked, Stored time.Duration
}

// CandidatesFound says that several requests claim one name.
type CandidatesFound struct {
	Marker

	Name    string
	Reviews []*request.Review
}

// Reviewed is what an administrator is about to decide.
type Reviewed struct {
	Marker

	Review *request.Review
	Now    time.Time
}

// ToBeGiven is what a user gets if her request is approved.
type ToBeGiven struct {
	Marker

	Wanted []access.Wanted
}

// Given says that a holder has a grant, by a binding that is there now.
type Given struct {
	Marker

	Wanted access.Wanted
}

// RolesUnchecked says that a dry run had no cluster in which to look for roles and namespaces.
type RolesUnchecked struct {
	Marker
}

// UserUnknown says that nothing on the cluster names a user.
type UserUnknown struct {
	Marker

	Name string
}

// RequestApproved says that a request was approved on the way to its certificate.
type RequestApproved struct {
	Marker

	Name string
}

// AlreadyDecided says that there was nothing left to decide, because it had been
// decided the same way.
type AlreadyDecided struct {
	Marker

	Decision request.Decision
	Name     string
	Message  string
}

// NotDecided says why one request among several was left alone.
type NotDecided struct {
	Marker

	Decision request.Decision
	Reason   error
}

// NothingPending says that there is no request to decide about.
type NothingPending struct {
	Marker
}

// StillWaiting says how the wait for a certificate stands.
type StillWaiting struct {
	Marker

	Sighting cluster.Sighting
}

// StillFollowing says why a list can't be kept up just now.
type StillFollowing struct {
	Marker

	Trouble error
}

// CertificateIssued says that the certificate is there and was checked.
type CertificateIssued struct {
	Marker

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
type LifetimesDiffer struct {
	Marker

	Asked, Given time.Duration
}

// LifetimeNotAskable says that the present certificate is good for longer than a request
// can ask for, and what its renewal asks for.
type LifetimeNotAskable struct {
	Marker

	Present, Asked time.Duration
}

// MemberNotOnboarded says why one user among many was not onboarded. Line is where the
// file names her; 0 if there is none.
type MemberNotOnboarded struct {
	Marker

	User   string
	Line   int
	Reason error
}

// Progress says how far it is with something that is done to many users, Done of Total,
// and how many of those failed.
type Progress struct {
	Marker

	// Doing says what is done: "onboarding".
	Doing               string
	Done, Failed, Total int
}

// ClusterUnreachable says why a certificate could not be tried.
type ClusterUnreachable struct {
	Marker

	Reason error
}

// RequestGivenTwice says that a file holds the same request as an earlier one.
type RequestGivenTwice struct {
	Marker

	Source, First string
}

// MembersNotOnboarded says of several users, each with her line in the file, why they were
// not onboarded.
type MembersNotOnboarded struct {
	Marker

	Users  []MemberResult
	Reason error
}

// TeamWaits says how many users' certificates are waited for, and that nothing has happened
// for a while. AreApproved says that their requests are approved.
type TeamWaits struct {
	Marker

	Waiting     int
	AreApproved bool
	Signer      string
}

// CertificatesProven says that a certificate has logged in, and that those of the same
// authority for the same kind of key are verified against that authority.
type CertificatesProven struct {
	Marker

	User           identity.User
	Key, Authority string
}

// LoggedIn is whom the cluster takes the holder of the new certificate for.
type LoggedIn struct {
	Marker

	User identity.User
}

// KubeconfigWritten says that the kubeconfig is on the disk.
type KubeconfigWritten struct {
	Marker

	Path    string
	Context string
	// LoginChecked says whether its certificate has logged in.
	LoginChecked bool
}

// NotHandedOff says why nothing came of one approved request among several.
type NotHandedOff struct {
	Marker

	Reason error
}

// HandoffWritten says that a user's handoff file is on the disk.
type HandoffWritten struct {
	Marker

	Path string
	User identity.User
}

// HandoffToConfirm is what an administrator tells a user apart from the handoff file, so
// that a file that was exchanged on the way is noticed.
type HandoffToConfirm struct {
	Marker

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
	Marker

	Server      string
	Authorities []HandoffAuthority
	// RestsOnFile says that the person has not confirmed it: it is accepted because the
	// authorities have signed the certificate, and both are from the file.
	RestsOnFile bool
}

// CertificateWritten says that a certificate that was signed here is on the disk.
type CertificateWritten struct {
	Marker

	Path string
	User identity.User
}

// SignerAssumed says that a manifest names no signer, and which one it is taken to mean.
type SignerAssumed struct {
	Marker

	Source, Signer string
}

// KubeconfigNotPrivate says that a kubeconfig which was merged into, and now holds a
// private key more, can be read by others than its owner.
type KubeconfigNotPrivate struct {
	Marker

	Path string
}

// ExecIsLocal says that a kubeconfig for somebody else logs in from a credential cache,
// which is on this machine only.
type ExecIsLocal struct {
	Marker
}

// ServerIsLoopback says that a kubeconfig for somebody else holds an address
// that only this machine reaches.
type ServerIsLoopback struct {
	Marker

	Server string
}

// CertificatesNotReaching says that client certificates do not reach the API server at an
// address, so that the kubeconfigs with it do not log in.
type CertificatesNotReaching struct {
	Marker

	Server string
}

// ServerNotVerified says that the kubeconfig has its user not check the server's
// certificate, as the one that it was made from.
type ServerNotVerified struct {
	Marker

	Server string
}

// NotDue says that a certificate is not to be renewed yet.
type NotDue struct {
	Marker

	Context  string
	NotAfter time.Time
}

// RenewalBusy says that another process works on the renewal of a certificate.
type RenewalBusy struct {
	Marker

	Context string
}

// RenewedMeanwhile says that another process has renewed a certificate.
type RenewedMeanwhile struct {
	Marker

	Context  string
	NotAfter time.Time
}

// GroupsLost says which groups of a certificate the cluster does not know its holder
// in, so that they are not asked for again.
type GroupsLost struct {
	Marker

	User   string
	Groups []string
}

// RenewalWaits says that a renewal waits for an administrator or the signer, and that
// Resume goes on with it.
type RenewalWaits struct {
	Marker

	Request  string
	State    request.State
	NotAfter time.Time
	Resume   string
}

// Rotated says that a kubeconfig user logs in with a new certificate.
type Rotated struct {
	Marker

	Context, Path string
	NotAfter      time.Time
}

// PairLeft says which files of the certificate before still are there, and until
// when it is good.
type PairLeft struct {
	Marker

	Paths    []string
	NotAfter time.Time
}

// NotRenewed says why one context among several was not renewed.
type NotRenewed struct {
	Marker

	Context string
	Reason  error
}

// RenewalNotStarted says why no renewal could be begun in the background.
type RenewalNotStarted struct {
	Marker

	Reason error
}

// RenewalTrouble says what keeps a certificate from being renewed in the background,
// and what to do about it.
type RenewalTrouble struct {
	Marker

	User            string
	NotAfter        time.Time
	Trouble, Advice string
}

// RenewalAwaited says that a command waits because its certificate is of no use any
// more.
type RenewalAwaited struct {
	Marker

	User     string
	NotAfter time.Time
}

// CacheFilled says that a credential cache has a pair now.
type CacheFilled struct {
	Marker

	Directory string
}

// CacheKept says that a credential cache has a pair that is good for longer, which
// stays.
type CacheKept struct {
	Marker

	Directory string
	NotAfter  time.Time
}

// CacheMoved says that a credential cache belongs to the API server at another address, or
// with another certificate authority, from now on.
type CacheMoved struct {
	Marker

	Directory, From, To string
}

// CacheInUse says that a kubeconfig user logs in from the credential cache from now
// on.
type CacheInUse struct {
	Marker

	Context, Path string
}
