package render

import (
	"fmt"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// tellRenewal writes one event of a renewal. What is told while kubectl runs says who
// is speaking.
func (n *Narrator) tellRenewal(told event.Event) {
	switch e := told.(type) {
	case renewal.NotDue:
		n.say("%s is valid until %s", identity.Printable(e.Context), pki.Stamp(e.NotAfter))
	case renewal.OthersUnrenewed:
		n.say("warning: %s: %s has further certificates that were due to be renewed and were not: %d; see: %s", identity.Printable(e.Context), identity.Name(e.User), e.Certificates,
			identity.NewCommand("kubectl csr-onboard ledger").Option("--for-user", e.User).Words("--without-renewal"))
	case renewal.Due:
		n.did("would request another certificate for %s, in place of the one in %s, which is valid until %s", e.User, identity.Printable(e.Context), pki.Stamp(e.NotAfter))
	case renewal.Busy:
		n.say("another run is renewing %s", identity.Printable(e.Context))
	case renewal.RenewedMeanwhile:
		n.say("another run has renewed %s: valid until %s", identity.Printable(e.Context), pki.Stamp(e.NotAfter))
	case renewal.GroupsLost:
		n.say("warning: the API server no longer reports %s as a member of %s; the renewal does not request it", identity.Quote(e.User), groups(e.Groups))
	case renewal.Waits:
		n.say("the renewal is %s: %s", strings.ToLower(string(e.State)), identity.Printable(e.Request))
		if e.State == request.Pending {
			n.next("review and approve it, as an administrator", identity.NewCommand("kubectl csr-onboard approve").Argument(e.Request))
		}
		n.next(fmt.Sprintf("continue; the present certificate is valid until %s", pki.Stamp(e.NotAfter)), copyable(identity.PrintableSentence(e.Resume)))
	case renewal.Rotated:
		n.say("renewed %s in %s: valid until %s", identity.Printable(e.Context), identity.PrintableSentence(e.Path), pki.Stamp(e.NotAfter))
	case renewal.PairLeft:
		n.say("the files of the certificate before are left, which is valid until %s:", pki.Stamp(e.NotAfter))
		for _, path := range e.Paths {
			n.say("  %s", identity.PrintableSentence(path))
		}
	case renewal.NotRenewed:
		n.say("not renewed: %s: %s", identity.Printable(e.Context), sentence(e.Reason))
	case renewal.NotStarted:
		n.say("kubectl csr-onboard: cannot start a renewal: %s", sentence(e.Reason))
	case renewal.InTrouble:
		n.say("kubectl csr-onboard: the certificate of %s expires %s, and is not renewed: %s", identity.Quote(e.User), pki.Stamp(e.NotAfter), identity.PrintableSentence(e.Trouble))
		if e.Advice != "" {
			n.say("  hint: %s", identity.PrintableSentence(e.Advice))
		}
	case renewal.Awaited:
		n.say("kubectl csr-onboard: the certificate of %s expires %s; waiting for another", identity.Quote(e.User), pki.Stamp(e.NotAfter))
	case destination.CacheFilled:
		n.say("put certificate and key into the credential cache %s", identity.PrintableSentence(e.Directory))
	case destination.CacheKept:
		n.say("the credential cache %s has a certificate that is valid for longer, until %s: it is kept", identity.PrintableSentence(e.Directory), pki.Stamp(e.NotAfter))
	case renewal.CacheMoved:
		n.say("the credential cache %s belongs to the API server %s now; it was for %s", identity.PrintableSentence(e.Directory), identity.Printable(e.To), identity.Printable(e.From))
	case renewal.CacheInUse:
		n.say("%s in %s logs in from the credential cache now", identity.Printable(e.Context), identity.PrintableSentence(e.Path))
	}
}
