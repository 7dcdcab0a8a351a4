package render

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// requestWords has the words for a key, its request and its certificate.
type requestWords struct{ *voice }

func (w requestWords) keyReady(e onboard.KeyReady) {
	path := identity.PrintableSentence(e.Path)
	switch {
	case e.Created && e.CopiedFrom != "":
		w.say("copied the private key %s to %s (%s)", identity.PrintableSentence(e.CopiedFrom), path, e.Kind)
	case e.Created:
		w.say("created a private key: %s (%s)", path, e.Kind)
	default:
		w.say("using the existing private key: %s (%s)", path, e.Kind)
	}
	w.say("  fingerprint %s", e.Fingerprint)
}

func (w requestWords) requestReady(e onboard.RequestReady) {
	if e.Created {
		w.did("submitted certificate signing request %s to %s, for %s", identity.Printable(e.Name), identity.Printable(e.Server), lifetime(e.StoredLifetime))
		return
	}
	w.say("using the existing certificate signing request %s: %s", identity.Printable(e.Name), strings.ToLower(string(e.State)))
	if e.StoredLifetime != e.AskedLifetime {
		w.say("warning: it asks for %s, not for %s, and that cannot be changed", lifetime(e.StoredLifetime), lifetime(e.AskedLifetime))
	}
}

func (w requestWords) candidates(e approval.CandidatesFound) {
	w.say("requests for %s:", identity.Printable(e.Name))
	for _, review := range e.Reviews {
		w.say("  %s", identity.Printable(review.Object.Name))
		w.say("    user %s, %s, submitted by %s", review.User, strings.ToLower(string(review.State)), identity.Printable(review.Requester))
		w.say("    fingerprint %s", review.Fingerprint)
	}
}

func (w requestWords) waiting(e onboard.StillWaiting) {
	name := identity.Printable(e.Sighting.Object.Name)
	switch {
	case e.Sighting.Trouble != nil:
		w.say("the API server cannot be reached, trying again: %s", sentence(e.Sighting.Trouble))
	case e.Sighting.Unsigned:
		w.unsigned(name+" is approved", e.Sighting.Object.Spec.SignerName)
		w.wait("still waiting for the certificate of %s", name)
	case request.StateOf(e.Sighting.Object) == request.Pending:
		w.wait("waiting for an administrator to approve %s", name)
	default:
		w.wait("%s is %s, waiting for its certificate", name, strings.ToLower(string(request.StateOf(e.Sighting.Object))))
	}
}

// unsigned says why no signer may have answered.
func (w requestWords) unsigned(what, signer string) {
	if signer != request.Signer {
		w.say("%s, but the signer %s has not answered yet: is the controller running that signs for it?", what, identity.Printable(signer))
		return
	}
	w.say("%s, but no signer has answered yet. That usually means one of:", what)
	w.say("  - no kube-controller-manager is running, or it has no --cluster-signing-cert-file and --cluster-signing-key-file")
	w.say("  - the cluster is a managed one that does not serve the signer %s (Amazon EKS, for one)", request.Signer)
	w.say("  - the controller manager cannot update certificatesigningrequests/status")
}

func (w requestWords) issued(e onboard.CertificateIssued) {
	w.say("the certificate is valid until %s, issued by %s", pki.Stamp(e.NotAfter), identity.Printable(e.Issuer))
	if e.IsOtherThanAsked() {
		w.say("warning: %s was asked for, and %s was given", lifetime(e.Asked), lifetime(e.Given))
	}
}

func (w requestWords) nextSteps(e onboard.NextSteps) {
	w.say("next:")
	if request.StateOf(e.Object) == request.Pending {
		approve := identity.NewCommand("kubectl csr-onboard approve").Argument(e.Object.Name)
		if e.Object.Spec.SignerName != request.Signer {
			approve = approve.Option("--allow", request.ForeignSigner)
		}
		w.next("review and approve it, as an administrator", approve)
	}
	w.next("fetch the kubeconfig after it is signed", e.Fetch)
}

func (w requestWords) nextStepsOffline(e onboard.NextStepsOffline) {
	w.say("nothing was sent anywhere; next:")
	w.next("send this file to an administrator", copyable(identity.PrintableSentence(e.Path)))
	w.next("tell them the fingerprint over another channel", copyable(e.Fingerprint))
	w.next("the administrator runs", e.Approve)
	w.next("with the file that they send back, run", e.Fetch)
}

// howToUse says how a kubeconfig is used that was written.
func (v *voice) howToUse(e destination.KubeconfigWritten) {
	command := identity.NewCommand("kubectl")
	if e.Named != "" {
		command = command.Option("--kubeconfig", e.Named)
	}
	switch {
	case e.IsMerged && !e.IsCurrent:
		v.next("switch to the context", command.Words("config use-context").Argument(e.Context))
	case e.IsMerged, e.LoginChecked:
		v.next("use it", command.Words("auth whoami"))
	}
}

// joined says where the contexts of several clusters are, and how they are used.
func (v *voice) joined(e destination.KubeconfigJoined) {
	names := make([]string, len(e.Contexts))
	for i, name := range e.Contexts {
		names[i] = identity.Name(name)
	}
	v.say("wrote the kubeconfig %s, with the contexts %s", identity.PrintableSentence(e.Path), strings.Join(names, ", "))
	command := identity.NewCommand("kubectl")
	if e.Named != "" {
		command = command.Option("--kubeconfig", e.Named)
	}
	if !e.LoginChecked {
		v.say("warning: not every context has been tried: %s", command.Words("auth whoami --context NAME"))
	}
	v.next("use one of them", command.Words("auth whoami").Option("--context", e.Contexts[0]))
}

// called says how a call to an API server was answered.
func (v *voice) called(e onboard.Called) {
	answer := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Err != nil {
		answer = sentence(e.Err)
	}
	audit := ""
	if e.AuditID != "" {
		audit = ", audit ID " + identity.Printable(e.AuditID)
	}
	v.say("%s %s: %s in %s%s", e.Method, identity.PrintableSentence(e.Path), answer, e.Duration.Round(time.Millisecond), audit)
}
