// Package render turns results and events into what a person or a script
// reads.
//
// It promises that everything which came from the API, a file or a user is
// escaped before it reaches a terminal (see identity.Printable).
package render

import (
	"io"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/granting"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/sign"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// Narrator tells a person what happens, a line or a few for each event. It may be used from several
// goroutines: calls that continue at the same time have warnings.
type Narrator struct {
	*voice

	// mutex is shared by narrators that write to the same stream.
	mutex *sync.Mutex
}

// NewNarrator makes a narrator that writes to standard error, or wherever else
// narration goes. On a terminal that knows escape sequences a wait is a line that
// changes; elsewhere it is a line for each change of state.
// now is the clock by which a wait is shown.
func NewNarrator(out io.Writer, now func() time.Time) *Narrator {
	return &Narrator{voice: &voice{out: out, now: now, animated: printers.AllowsColorOutput(out)}, mutex: new(sync.Mutex)}
}

// ForCluster is a narrator of what happens on one of several clusters, whose name is at the begin of
// each line. Lines of one event stay together. Waits are lines: what changes on a screen would be
// several at once.
func (n *Narrator) ForCluster(name string) *Narrator {
	return &Narrator{voice: &voice{out: screen.Prefixing(n.out, ClusterPrefix(name)), now: n.now, cluster: name, flags: n.flags, dryRun: n.dryRun}, mutex: n.mutex}
}

// ClusterPrefix is what lines about one of several clusters begin with.
func ClusterPrefix(name string) string { return "[" + identity.Name(name) + "] " }

// Completing has the narrator add flags to each command of csr-onboard that it tells a person to run.
func (n *Narrator) Completing(flags identity.ClusterFlags) *Narrator {
	n.flags = flags
	return n
}

// In has the narrator say of everything done that it is a dry run, if it is one.
func (n *Narrator) In(dryRun onboard.DryRun) *Narrator {
	n.dryRun = dryRun
	return n
}

// Close removes what the narrator left on the screen that was not to stay.
func (n *Narrator) Close() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.close()
}

// Tell writes one event.
func (n *Narrator) Tell(told event.Event) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	switch e := told.(type) {
	case onboard.Warning:
		n.say("warning: %s", identity.PrintableSentence(e.Text))
	case onboard.Called:
		n.called(e)
	case clusters.NotDone:
		n.say("not done on %s: %s", identity.Name(e.Cluster), sentence(e.Reason))
		n.hint(e.Reason)
	case clusters.NextSteps:
		n.say("next:")
		n.next("review and approve them, as an administrator", e.Approve)
		n.next("fetch the kubeconfig after they are signed", e.Fetch)
	case onboard.NameWarned:
		n.say("warning: %s (%s)", e.Problem.Sentence, e.Problem.Finding)
	case onboard.FindingWarned:
		n.say("%s: %s: %s", severity(e.Finding), e.Finding.Name, e.Finding.Sentence)
	case onboard.Recorded:
		n.say("recorded the certificate of %s on the ledger: no recorder runs", identity.Printable(e.Request))
	case onboard.NotRecorded:
		n.say("warning: no recorder runs, and the certificate is not on the ledger: %s", sentence(e.Reason))
	case onboard.KeyReady:
		requestWords{n.voice}.keyReady(e)
	case onboard.KeyRetired:
		n.say("the certificate of certificate signing request %s expired %s: requesting another with a new key", identity.Printable(e.Request), pki.Stamp(e.NotAfter))
		n.say("  the private key of the expired one is kept: %s", identity.PrintableSentence(e.Path))
	case onboard.RequestReady:
		requestWords{n.voice}.requestReady(e)
	case onboard.NextSteps:
		requestWords{n.voice}.nextSteps(e)
	case onboard.NextStepsOffline:
		requestWords{n.voice}.nextStepsOffline(e)
	case onboard.ServerVersionUnknown:
		n.say("warning: the server's version is unknown: %s", sentence(e.Reason))
	case onboard.GrantsUnread:
		n.say("warning: the roles that the user and the groups already have could not be read: %s", identity.PrintableSentence(e.Reason))
	case onboard.ContextsNotAsked:
		n.say("%s did not log in; to log in as every context, at the server that each names: kubectl csr-onboard status --live", english.Plural(e.Contexts, "context", ""))
	case onboard.StandingUnread:
		n.say("warning: whether the user is blocked, was offboarded or has another certificate could not be checked: %s", identity.PrintableSentence(e.Reason))
	case onboard.NotDecided:
		n.say("not %s: %s", e.Decision.Done, sentence(e.Reason))
	case approval.NothingPending:
		n.say("no pending certificate signing requests found")
	case approval.NothingListed:
		n.say("no certificate signing requests found")
	case approval.NothingDecided:
		n.did("nothing was %s", e.Decision.Done)
	case onboard.StillFollowing:
		n.say("the API server cannot be reached, trying again: %s", sentence(e.Trouble))
	case approval.CandidatesFound:
		requestWords{n.voice}.candidates(e)
	case onboard.Reviewed:
		n.close()
		_ = ReviewOn(n.out, e.Review, e.Now, e.Clusters)
	case approval.ToBeGiven:
		for _, wanted := range e.Wanted {
			n.say("  to be given: %s to %s", wanted.Grant, wanted.Holder)
		}
	case onboard.Given:
		n.did("%s has %s (%s/%s)", e.Wanted.Holder, e.Wanted.Grant, e.Wanted.Resource(), e.Wanted.Name())
	case team.RolesUnchecked:
		n.say("warning: the kubeconfig names no cluster, so whether the roles and namespaces exist was not checked")
	case granting.UserUnknown:
		n.say("warning: nothing on the cluster names the user %s: check the name", identity.Quote(e.Name))
	case offboard.OffboardingPlanned:
		n.close()
		_ = OffboardingPlan(n.out, e.Plan)
	case offboard.IdentityBlocked:
		proof := ""
		if e.IsProven {
			proof = ": the API server refused a write"
		}
		n.did("blocked %s%s", e.Blocked, proof)
	case offboard.BlockNotProven:
		n.say("not proven: %s", sentence(e.Reason))
	case offboard.NotRemembered:
		n.say("warning: the cluster does not remember that the user was offboarded, so approve, grant and new-user do not refuse them: %s", sentence(e.Reason))
	case audit.NothingListed:
		n.say("no client certificates found")
	case audit.RecorderAwaited:
		n.say("waiting %s, in case a recorder still runs", e.Left.Round(time.Second))
	case audit.LaterFields:
		ledgerWords{n.voice}.later(e)
	case audit.AuthoritiesUnknown:
		n.say("warning: certificates are not checked against the certificate authority (CA) of the cluster's clients: %s", sentence(e.Reason))
	case audit.Exported:
		n.did("exported %s; the hash of the last one: %s", english.Plural(e.Lines, "line", ""), e.Head)
	case revoke.Listed:
		n.say("the list has changed; waiting for the API servers")
	case revoke.Holdings:
		ledgerWords{n.voice}.holdings(e)
	case revoke.LedgerUnread:
		n.say("warning: which certificates the user has, requested or approved is unknown: %s", sentence(e.Reason))
	case revoke.NotInForce:
		n.say("not in force at %s: %s", identity.Name(e.Server.Node), e.Server.Why)
	case revoke.KeptFromBefore:
		n.say("warning: a list was deleted, and what it refused is still refused at %s; see: kubectl csr-onboard revocations", identity.Name(e.Node))
	case revoke.NotRendered:
		n.say("warning: cannot be enforced: %s", e.Problem)
	case revoke.APIServersUnknown:
		n.say("warning: it is unknown which API servers the cluster has; only those with an enforcer are counted: %s", sentence(e.Reason))
	case offboard.RequestDenied:
		n.did("denied %s", identity.Printable(e.Name))
	case offboard.TakenAway:
		done := "removed the user from"
		if e.Held.IsOwn(e.User) {
			done = "deleted"
		}
		n.did("%s %s", done, e.Held)
	case offboard.NotTakenAway:
		n.say("not removed: %s", sentence(e.Reason))
	case onboard.RequestApproved:
		n.did("approved %s", identity.Printable(e.Name))
	case approval.AlreadyDecided:
		n.say("%s is %s already%s", identity.Printable(e.Name), e.Decision.Done, inParentheses(e.Message))
	case onboard.StillWaiting:
		requestWords{n.voice}.waiting(e)
	case onboard.CertificateIssued:
		requestWords{n.voice}.issued(e)
	case handoff.ClusterUnreachable:
		n.say("warning: it is unknown whether the certificate logs in: %s", sentence(e.Reason))
	case onboard.LoggedIn:
		n.say("logged in: the cluster knows the holder as %s", e.User)
	case team.CertificatesProven:
		n.say("logged in as %s; certificates like it (%s, of the CA %s) are verified against that CA",
			identity.Name(e.User.Name), e.Key, identity.Quote(e.Authority))
	case destination.ServerNotVerified:
		n.say("warning: the certificate of %s is not checked, here and in the new kubeconfig (insecure-skip-tls-verify)", identity.Printable(e.Server))
	case destination.CertificateWritten:
		n.say("wrote the certificate of %s: %s", e.User, identity.PrintableSentence(e.Path))
	case sign.AuthorityKeyNotPrivate:
		n.say("warning: the CA's private key %s can be read by others than its owner: %s", identity.PrintableSentence(e.Path), identity.NewCommand("chmod 600").File(e.Path))
	case sign.PassphraseNotPrivate:
		n.say("warning: the passphrase in %s can be read by others than its owner: %s", identity.PrintableSentence(e.Path), identity.NewCommand("chmod 600").File(e.Path))
	case sign.SignerTrustedForServer:
		n.say("warning: the handoff trusts the certificate authority (CA) that signs, %s, for the API server %s as well;", identity.Quote(e.Authority), identity.Printable(e.Server))
		n.say("  if the API server's certificate is signed by another CA, name that one: --certificate-authority FILE")
	case approval.SignerAssumed:
		n.say("the manifest %s has no spec.signerName; using %s", identity.PrintableSentence(e.Source), e.Signer)
	case handoff.NotHandedOff:
		n.say("not handed off: %s", sentence(e.Reason))
	case handoff.Written:
		n.say("wrote the handoff %s: send it to %s; nothing in it is secret", identity.PrintableSentence(e.Path), e.User)
	case handoff.ToConfirm:
		handoffWords{n.voice}.toConfirm(e)
	case handoff.EndpointNamed:
		handoffWords{n.voice}.endpoint(e)
	case destination.KubeconfigNotPrivate:
		n.say("warning: %s can be read by others than its owner, and holds private keys: %s", identity.PrintableSentence(e.Path), identity.NewCommand("chmod 600").File(e.Path))
	case destination.ServerIsLoopback:
		n.say("warning: the server address %s is reached from this machine only; give the one that others reach: %s", identity.Printable(e.Server), n.externalServer())
	case handoff.CertificatesNotReaching:
		n.say("warning: client certificates do not reach the API server at %s: TLS ends there, such as at a proxy; give the API server's own address: %s", identity.Printable(e.Server), n.externalServer())
	case destination.ExecIsLocal:
		n.say("warning: a kubeconfig with --exec works on this machine only, where its credential cache is")
		n.say("  for another machine: there, kubectl csr-onboard new-user NAME --offline; here, kubectl csr-onboard approve -f FILE --out FILE; there, kubectl csr-onboard fetch NAME --from FILE --exec")
	case destination.KubeconfigWritten:
		n.say("wrote the kubeconfig %s, context %s", identity.PrintableSentence(e.Path), identity.Printable(e.Context))
		if !e.LoginChecked {
			n.say("warning: it has not been tried: %s", identity.NewCommand("kubectl").Option("--kubeconfig", e.Path).Words("auth whoami"))
		}
		n.howToUse(e)
	case destination.KubeconfigJoined:
		n.joined(e)
	case onboard.Progress:
		n.tellProgress(e)
	case team.MemberNotOnboarded:
		n.did("not onboarded: %s: %s", member(e.User, e.Line), sentence(e.Reason))
		n.hint(e.Reason)
	case approval.RequestGivenTwice:
		n.say("%s holds the same request as %s", identity.PrintableSentence(e.Source), identity.PrintableSentence(e.First))
	case team.MembersNotOnboarded:
		teamWords{n.voice}.membersNotOnboarded(e)
	case team.FileRefused:
		teamWords{n.voice}.mistakes(e)
	case team.Summary:
		teamWords{n.voice}.summary(e.Results)
	case team.NextSteps:
		teamWords{n.voice}.nextSteps(e)
	case team.NextStepsOffline:
		teamWords{n.voice}.nextStepsOffline(e)
	case team.Waits:
		teamWords{n.voice}.waits(e)
	case sign.NothingSigned:
		n.did("would sign a certificate for %s with the CA %s, valid for %s", e.User, identity.Quote(e.Authority), lifetime(e.Lifetime))
	case onboard.LifetimeChanged:
		n.say("warning: %s was asked for, and an admission policy of the cluster changed that to %s", lifetime(e.Asked), lifetime(e.Stored))
	case team.LifetimesDiffer:
		n.say("warning: %s was asked for, and %s was given", lifetime(e.Asked), lifetime(e.Given))
	case renewal.LifetimeNotAskable:
		n.say("warning: the present certificate is valid for %s, and a request can ask for at most %s: requesting that", lifetime(e.Present), lifetime(e.Asked))
	default:
		n.tellRenewal(told)
	}
}

// Warn tells a warning, such as one of the API server's.
func (n *Narrator) Warn(text string) { n.Tell(onboard.Warning{Text: text}) }

func lifetime(d time.Duration) string {
	if d == 0 {
		return "no particular lifetime"
	}
	return duration.HumanDuration(d)
}

func inParentheses(text string) string {
	if text == "" {
		return ""
	}
	return " (" + identity.Printable(text) + ")"
}
