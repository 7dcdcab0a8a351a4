package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

const revocationGuide = "set up csr-onboard-controller enforce on each control-plane node: " + revocation.Guide + "; without it, offboard NAME --block refuses what a user writes"

// checkRevocation finds out whether the cluster can revoke, and whether it does so at every API
// server.
func (d *examination) checkRevocation(ctx context.Context) {
	const name = "revocation"
	status, err := revoke.Look(ctx, d.program)
	if err != nil {
		d.unknown(name, err, "it is unknown whether this cluster can revoke")
		return
	}
	if !status.CanRevoke() {
		err := revoke.CheckVersion(ctx, d.program)
		switch {
		case err != nil && errors.Is(err, revoke.ErrTooOld):
			d.add(name, Warn, outcome.Hint(err), "%v", err)
		case err != nil:
			d.unknown(name, err, "it is unknown whether this cluster can revoke")
		case len(status.Entries) > 0:
			d.add(name, Warn, revocationGuide, "no enforcer reports: reads are not refused for the %s on the list", english.Plural(len(status.Entries), "entry", ""))
		default:
			d.add(name, Warn, revocationGuide, "no enforcer reports: users and certificates cannot be revoked")
		}
		return
	}
	var missing []string
	files := map[string]bool{}
	for _, server := range status.Servers {
		if server.Why != "" {
			missing = append(missing, identity.Name(server.Node)+": "+server.Why)
		}
		if server.Report != nil {
			files[server.Report.List] = true
		}
	}
	const look = "see: kubectl csr-onboard revocations"
	switch {
	case status.IsMoreInForce():
		d.add(name, Fail, revoke.HowToAccept, "the list of revocations was deleted, and what it refused is still refused; %s", strings.Join(missing, "; "))
	case len(missing) > 0:
		d.add(name, Fail, look, "the list of revocations is in force at %s; %s",
			revocation.Of(revocation.InForce(status.Servers), status.Servers), strings.Join(missing, "; "))
	case len(files) > 1:
		d.add(name, Fail, look, "the enforcers have %d different lists in force", len(files))
	case len(status.Problems) > 0:
		d.add(name, Fail, look, "%s of the list cannot be enforced; %s", english.Plural(len(status.Problems), "entry", ""), status.Problems[0])
	default:
		d.add(name, Pass, "", "%s in force at %s", english.Plural(len(status.Entries), "revocation", ""), revocation.Of(len(status.Servers), status.Servers))
	}
}

// checkMasters looks for certificates that no revocation reaches.
func (d *examination) checkMasters() {
	const name = "unrevocable-certificates"
	if d.unreadErr != nil {
		d.unknown(name, d.unreadErr, "it is unknown whether there are certificates in the group "+identity.MastersGroup)
		return
	}
	var found []string
	for _, review := range d.issued {
		if slices.ContainsFunc(review.Certificate.User().Groups, identity.IsMasters) && d.program.Now().Before(review.Certificate.Leaf.NotAfter) {
			found = append(found, identity.Printable(review.Object.Name))
		}
	}
	if len(found) > 0 {
		d.add(name, Warn, "they are valid until they expire, or the certificate authority (CA) is replaced; do not use that group for people",
			"requests on the cluster have certificates in the group %s, which cannot be revoked: %s", identity.MastersGroup, strings.Join(found, ", "))
		return
	}
	d.add(name, Pass, "", "no request on the cluster has a certificate in the group %s, which cannot be revoked; files on control-plane nodes, such as super-admin.conf, are not looked at", identity.MastersGroup)
}
