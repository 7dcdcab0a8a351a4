package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// OffboardingPlan writes what is to be taken away from a user.
func OffboardingPlan(out io.Writer, plan *offboard.Plan) error {
	w := &lines{out: out}
	w.line("to be removed from %s%s:", identity.Name(plan.User), plan.DryRun.Note())
	if plan.Block != nil {
		w.line("  block %s: the API server refuses every write from then on; reads only where enforcers run", plan.Block)
	}
	if plan.Revoke {
		w.line("  revoke the user %s: every API server refuses everything from then on, reads included", identity.Quote(plan.User))
	}
	for _, review := range plan.Deny {
		w.line("  deny the pending request %s", identity.Printable(review.Object.Name))
	}
	for _, held := range plan.TakeAway {
		rest := access.Without(held.Subjects, plan.User)
		if held.IsOwn(plan.User) {
			w.line("  delete %s, which gives %s", held, held.Grant)
			continue
		}
		w.line("  remove the user from %s, which gives %s; %s", held, held.Grant, staying(len(rest)))
	}
	if !plan.IsKnown {
		w.line("  nothing else: nothing on the cluster names the user")
	}
	if plan.Block == nil && !plan.Revoke && len(plan.Deny) == 0 && len(plan.TakeAway) == 0 {
		w.line("  nothing: no pending request and no role binding names the user")
	}
	return w.err
}

func staying(others int) string {
	switch others {
	case 0:
		return "nobody else is in it, and it stays as it is"
	case 1:
		return "one other stays in it"
	}
	return fmt.Sprintf("%d others stay in it", others)
}

// OffboardingTruth writes what a user still has, strongest first: what role bindings give
// by the user's own name, by the groups, and to everybody; then certificates, and what
// remains to be done, with flags in each command for it.
func OffboardingTruth(out io.Writer, plan *offboard.Plan, flags identity.ClusterFlags) error {
	w := &lines{out: out, flags: flags}
	w.line("what %s still has%s:", identity.Name(plan.User), plan.DryRun.Note())
	for _, held := range plan.Kept {
		w.line("  by the user's own name: %s (%s)", held.Grant, held)
	}
	groupRights := w.groupRights(plan)
	for _, alive := range plan.Alive {
		w.line("  a certificate that logs in until %s: %s, groups %s (%s)",
			pki.Stamp(alive.NotAfter), alive.CredentialID, groups(alive.Groups), identity.PrintableSentence(alive.Source))
	}
	for _, review := range plan.Unissued {
		w.line("  an approved request that has no certificate yet: %s, groups %s", identity.Printable(review.Object.Name), groups(review.User.Groups))
	}
	w.line("  certificates whose requests are not on the cluster any more: requests are garbage-collected an hour after they are issued")
	w.otherWays(plan)
	if plan.Revoke {
		w.line("A revoked user is refused all of this, except by watches and sessions that are open. What remains possible:")
	} else {
		w.line("Kubernetes cannot revoke a certificate, and csr-onboard can where enforcers run. What remains possible:")
		w.line("  - have every API server refuse the user, reads included: %s", identity.NewCommand("kubectl csr-onboard revoke").Argument(plan.User))
	}
	command := identity.NewCommand("kubectl csr-onboard offboard").Argument(plan.User).Words("--block")
	switch {
	case len(plan.Kept) > 0 && plan.CertificateOnly:
		w.line("  - remove the user's own role bindings, which also stops reads, and block every certificate of the user: %s", command)
	case len(plan.Kept) > 0:
		w.line("  - remove the user's own role bindings: run the same command again")
	case plan.Block == nil && !plan.Revoke:
		w.line("  - have the API server refuse what the user writes: %s", command)
	}
	for _, review := range plan.Unissued {
		w.line("  - delete the approved request before it is signed: %s", identity.NewCommand("kubectl delete csr").Argument(review.Object.Name))
	}
	if groupRights {
		w.line("  - remove the roles from the groups, or move the others in them to new groups")
	}
	if plan.Block != nil {
		w.line("  - reads are not refused by a block, unless enforcers run: otherwise they stop only if no role permits them")
		w.line("  - users who can change admission policies can undo a block; remove that permission as well")
	}
	w.line("  - wait: short lifetimes (--expiration) make this the ordinary way")
	w.line("  - replace the certificate authority (CA) of the cluster's clients, which invalidates every client certificate")
	return w.err
}

// groupRights writes what the user's groups give, and reports whether that is anything
// more than what everybody has.
func (l *lines) groupRights(plan *offboard.Plan) bool {
	rights := false
	for _, group := range plan.KnownGroups() {
		given := plan.GroupGrants[access.Holder{IsGroup: true, Name: group}]
		for _, grant := range given {
			rights = true
			l.line("  by the group %s: %s", identity.Quote(group), grant)
		}
		if len(given) == 0 && plan.Unread == "" {
			l.line("  by the group %s: nothing", identity.Quote(group))
		}
	}
	if len(plan.Alive)+len(plan.Unissued) == 0 {
		l.line("  by groups: unknown, since no certificate of the user is known; if you have one, name it: --certificate FILE")
	}
	var everybody []string
	for _, grant := range plan.GroupGrants[access.Holder{IsGroup: true, Name: offboard.AuthenticatedGroup}] {
		everybody = append(everybody, grant.String())
	}
	if len(everybody) > 0 {
		l.line("  as every user who is logged in (%s): %s", offboard.AuthenticatedGroup, strings.Join(everybody, ", "))
	}
	if plan.Unread != "" {
		l.line("  what role bindings give could not be read: %s", identity.PrintableSentence(plan.Unread))
	}
	return rights
}

// otherWays writes by what else than the user's certificates somebody can act: a user who
// can impersonate the user, and what the user could make for later.
func (l *lines) otherWays(plan *offboard.Plan) {
	if plan.RulesUnread != "" || plan.Unread != "" {
		l.line("  who can impersonate the user, and whether the user could: unknown, since roles could not be read: %s",
			identity.PrintableSentence(plan.RulesUnread+plan.Unread))
	}
	if holders := plan.Impersonators(); len(holders) > 0 {
		l.line("  can act as the user by impersonation: %s", listed(holders))
	}
	if grants := plan.GivesImpersonation(); len(grants) > 0 {
		l.line("  the user can act as others by impersonation, which no block of the user refuses: %s", listed(grants))
	}
	if grants := plan.GivesTokens(); len(grants) > 0 {
		l.line("  the user can create, or could have created, tokens of service accounts, which no block of the user refuses: %s", listed(grants))
		l.line("    Kubernetes does not record who took a token; look at: kubectl get secrets -A --field-selector type=kubernetes.io/service-account-token")
	}
}

// mostListed bounds how many holders or grants a line names.
const mostListed = 8

func listed[T fmt.Stringer](all []T) string {
	var texts []string
	for i, one := range all {
		if i == mostListed {
			texts = append(texts, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		texts = append(texts, one.String())
	}
	return strings.Join(texts, ", ")
}

// lines writes lines until one fails.
type lines struct {
	out io.Writer
	// flags go into each command of csr-onboard.
	flags identity.ClusterFlags
	err   error
}

func (l *lines) line(format string, arguments ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintln(l.out, strings.TrimRight(l.flags.Complete(fmt.Sprintf(format, arguments...)), " "))
	}
}
