package render

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Review shows what an administrator decides about: what the request bytes hold
// and what the API server recorded, nothing that the requester could make up.
func Review(out io.Writer, r *request.Review, now time.Time) error {
	return ReviewOn(out, r, now, nil)
}

// ReviewOn is Review for a request that is the same on several clusters, but for its age; it shows that
// of the first.
func ReviewOn(out io.Writer, r *request.Review, now time.Time, clusters []string) error {
	title := identity.Printable(r.Object.Name)
	if r.Source != "" {
		title = "in " + identity.Printable(r.Source)
	}
	if _, err := fmt.Fprintf(out, "certificate signing request %s\n", title); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what, value string) { _, _ = fmt.Fprintf(table, "  %s\t%s\n", what, value) }
	if len(clusters) > 0 {
		row("clusters", groups(clusters))
	}
	if r.IsDecoded() {
		row("user", identity.Name(r.User.Name))
		row("groups", groups(r.User.Groups))
		row("key", r.Key)
		row("fingerprint", r.Fingerprint)
	}
	if r.Source == "" {
		row("submitted by", submittedBy(r))
	}
	if r.SelfRenewal != nil {
		row("self-renewal", "logged in with "+r.SelfRenewal.CredentialID)
	}
	row("signer", identity.Printable(r.Object.Spec.SignerName))
	row("usages", usages(r.Object.Spec.Usages))
	row("lifetime", reviewedLifetime(r.Lifetime))
	if r.Source == "" {
		row("age", duration.HumanDuration(now.Sub(r.Object.CreationTimestamp.Time)))
	}
	if r.State != request.Pending {
		row("state", request.DescribeDecision(r.Object))
	}
	if what, why := r.ByPolicy(); what != "" {
		if r.Left != nil {
			what += ": " + identity.PrintableSentence(why)
		}
		row("policy", what)
	}
	if len(r.Holdings) > 0 {
		row("ledger", holdings(r.Holdings))
	}
	if r.Certificate != nil {
		row("expires", pki.Stamp(r.Certificate.Leaf.NotAfter))
		row("issuer", issuer(r.Certificate))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, finding := range r.Findings {
		painted := screen.Painted(out, colorOf(finding), severity(finding))
		if _, err := fmt.Fprintf(out, "  %s: %s: %s\n", painted, finding.Name, finding.Sentence); err != nil {
			return err
		}
	}
	if r.NotChecked != "" {
		if _, err := fmt.Fprintf(out, "  not checked: %s\n", r.NotChecked); err != nil {
			return err
		}
	}
	return nil
}

// holdings says how many certificates users have already.
func holdings(all []access.Certificates) string {
	texts := make([]string, len(all))
	for i, has := range all {
		text := "no certificates"
		switch {
		case has.Live == 1:
			text = "1 certificate, until " + pki.Stamp(has.Until)
		case has.Live > 1:
			text = fmt.Sprintf("%d certificates, the last until %s", has.Live, pki.Stamp(has.Until))
		}
		texts[i] = identity.Name(has.User) + " has " + text
		if has.Revoked > 0 {
			texts[i] += fmt.Sprintf(", and %d revoked", has.Revoked)
		}
	}
	return strings.Join(texts, "; ")
}

// submittedBy is the requester, and why it is one who can ask for another user.
func submittedBy(r *request.Review) string {
	if r.RequesterCanApprove && r.Requester != r.User.Name {
		return identity.Name(r.Requester) + ", who can approve it"
	}
	return identity.Name(r.Requester)
}

// colorOf is red for what refuses an approval, and yellow for a warning and for what is accepted.
func colorOf(finding request.Finding) string {
	if finding.IsRefused() {
		return screen.Red
	}
	return screen.Yellow
}

// severity is that of a finding in words, and what accepts the finding all the same.
func severity(finding request.Finding) string {
	if finding.AcceptedBy == "" {
		return string(finding.Severity)
	}
	return string(finding.Severity) + ", but accepted by " + finding.AcceptedBy
}

// issuer is the certificate authority that a certificate names as its own.
func issuer(certificate *pki.Certificate) string {
	return identity.Printable(certificate.Leaf.Issuer.String())
}

// groups are names in one row.
func groups(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = identity.Name(name)
	}
	return strings.Join(quoted, ", ")
}

func usages(list []certificatesv1.KeyUsage) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, usage := range list {
		texts[i] = identity.Printable(string(usage))
	}
	return strings.Join(texts, ", ")
}

// reviewedLifetime says what a signer makes of a request that asks for no lifetime: its
// maximum (kube-controller-manager --cluster-signing-duration).
func reviewedLifetime(d time.Duration) string {
	if d == 0 {
		return "not requested: the signer's maximum, a year unless configured otherwise"
	}
	return lifetime(d)
}
