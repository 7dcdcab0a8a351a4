package render

import (
	"fmt"
	"strings"
	"text/tabwriter"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
)

// review shows what an administrator is about to approve: what the request
// bytes hold and what the API server recorded, nothing that the requester could
// make up.
func (n *Narrator) review(e onboard.Reviewed) {
	r := e.Review
	table := tabwriter.NewWriter(n.out, 0, 0, 2, ' ', 0)
	row := func(what, value string) { _, _ = fmt.Fprintf(table, "  %s\t%s\n", what, value) }
	n.say("certificate signing request %s", identity.Printable(r.Object.Name))
	row("user", nameOf(r.User.Name))
	row("groups", groups(r.User.Groups))
	row("key", r.Key)
	row("fingerprint", r.Fingerprint)
	row("submitted by", nameOf(r.Requester))
	row("signer", identity.Printable(r.Object.Spec.SignerName))
	row("usages", usages(r.Object.Spec.Usages))
	row("lifetime", lifetime(r.Lifetime))
	row("age", duration.HumanDuration(e.Now.Sub(r.Object.CreationTimestamp.Time)))
	_ = table.Flush()
	for _, finding := range r.Findings {
		n.say("  %s: %s: %s", finding.Severity, finding.Name, finding.Sentence)
	}
}

func groups(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = nameOf(name)
	}
	return strings.Join(quoted, ", ")
}

// nameOf quotes a name where its borders could be mistaken: one group "dev, ops"
// is not two.
func nameOf(name string) string {
	if name != "" && !strings.ContainsAny(name, " ,\"'()") {
		return identity.Printable(name)
	}
	return identity.Quote(name)
}

func usages(list []certificatesv1.KeyUsage) string {
	texts := make([]string, len(list))
	for i, usage := range list {
		texts[i] = identity.Printable(string(usage))
	}
	return strings.Join(texts, ", ")
}
