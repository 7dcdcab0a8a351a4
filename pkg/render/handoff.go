package render

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
)

// handoffWords has the words for a handoff.
type handoffWords struct{ *voice }

// toConfirm says what to tell a user apart from the handoff file.
func (w handoffWords) toConfirm(e handoff.ToConfirm) {
	w.say("tell %s over another channel than the file:", e.User)
	for _, fingerprint := range e.KeyFingerprints {
		w.say("  fingerprint of the key:  %s", fingerprint)
	}
	for _, endpoint := range e.Endpoints {
		of := ""
		if len(e.Endpoints) > 1 {
			of = ", cluster " + identity.Name(endpoint.Cluster)
		}
		for _, authority := range endpoint.Authorities {
			w.say("  fingerprint of the CA:   %s%s", authority.Fingerprint, of)
		}
		if len(endpoint.Authorities) == 0 {
			w.say("  server:                  %s%s", identity.Printable(endpoint.Server), of)
		}
	}
	w.next("the user runs", copyable(identity.PrintableSentence(e.Command)))
}

// endpoint says where a handoff leads, and how much vouches for that.
func (w handoffWords) endpoint(e handoff.EndpointNamed) {
	w.say("the handoff names the API server %s", identity.Printable(e.Server))
	for _, authority := range e.Authorities {
		signed := "it has not signed the certificate"
		if authority.HasSigned {
			signed = "it has signed the certificate"
		}
		w.say("  certificate authority (CA) of the server: %s, fingerprint %s; %s", identity.Quote(authority.Subject), authority.Fingerprint, signed)
	}
	if e.RestsOnFile && len(e.Authorities) > 0 {
		flag := "--ca-fingerprint SHA256:…"
		if w.cluster != "" {
			flag = "--ca-fingerprint CLUSTER=SHA256:…"
		}
		w.say("warning: the CA was not confirmed: somebody who replaced the file could have signed the certificate with their own CA; compare the fingerprint with what the administrator tells you, or have it compared: %s", flag)
	}
}
