package render

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// ledgerWords are what is said about records of the ledger.
type ledgerWords struct{ *voice }

// mostHoldings bounds how many certificates are told one by one.
const mostHoldings = 20

// holdings tells which certificates somebody has, and which of others they requested or approved.
func (w ledgerWords) holdings(e revoke.Holdings) {
	if len(e.Own) > 0 {
		w.say("certificates of %s that log in, and that will be refused: %d", identity.Quote(e.User), len(e.Own))
		w.each(e, e.Own, "")
	}
	if len(e.Others) > 0 {
		w.say("certificates of others that %s requested or approved, which still log in: %d", identity.Quote(e.User), len(e.Others))
		w.each(e, e.Others, "; to refuse it: ")
	}
}

func (w ledgerWords) each(e revoke.Holdings, records []*ledger.ClientCertificate, lead string) {
	for i, record := range records {
		if i == mostHoldings {
			w.say("  and %d more: kubectl csr-onboard ledger", len(records)-i)
			return
		}
		groupsIn := ""
		if len(record.Spec.Groups) > 0 {
			groupsIn = " in " + groups(record.Spec.Groups)
		}
		command := ""
		if lead != "" {
			command = lead + identity.NewCommand("kubectl csr-onboard revoke").Option("--credential-id", record.CredentialID()).String()
		}
		w.say("  %s%s, expires in %s%s", identity.Name(record.Spec.User), groupsIn, duration.HumanDuration(record.Spec.NotAfter.Sub(e.Now)), command)
	}
}

// later says what a later version of csr-onboard has recorded.
func (w ledgerWords) later(e audit.LaterFields) {
	w.say("warning: %d of the client certificates have fields of a later version of csr-onboard, which this version cannot read: %s",
		e.Certificates, identity.Printable(strings.Join(e.Fields, ", ")))
	w.say("  %s", outcome.UpgradeHint)
}
