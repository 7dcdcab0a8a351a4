package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
)

// OffboardingPlan writes what is to be taken away from a user.
func OffboardingPlan(out io.Writer, plan *onboard.Offboarding) error {
	w := &lines{out: out}
	w.line("to be taken away from %s:", identity.Name(plan.User))
	if plan.Block != nil {
		w.line("  block %s: the API server refuses every write from then on", plan.Block)
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
		w.line("  take her out of %s, which gives %s; %s", held, held.Grant, staying(len(rest)))
	}
	if plan.Block == nil && len(plan.Deny) == 0 && len(plan.TakeAway) == 0 {
		w.line("  nothing: no pending request and no role binding names her")
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

// OffboardingTruth writes what can't be taken away from a user, until when, and what
// remains to be done.
func OffboardingTruth(out io.Writer, plan *onboard.Offboarding) error {
	w := &lines{out: out}
	w.line("what %s still has:", identity.Name(plan.User))
	for _, alive := range plan.Alive {
		w.line("  a certificate that logs in until %s: %s, groups %s (%s)",
			alive.NotAfter.UTC().Format(time.RFC3339), alive.CredentialID, groups(alive.Groups), identity.PrintableSentence(alive.Source))
	}
	if !plan.CertificateOnly {
		w.line("  any certificate whose request is not on the cluster any more: requests are collected an hour after they are issued")
	}
	rights := 0
	for _, group := range plan.Groups {
		for _, grant := range plan.GroupGrants[access.Holder{IsGroup: true, Name: group}] {
			rights++
			w.line("  by her group %s: %s", identity.Quote(group), grant)
		}
	}
	if plan.Unread != "" {
		w.line("  what her groups give her could not be read: %s", identity.PrintableSentence(plan.Unread))
	}
	w.line("Kubernetes can't revoke a certificate. What remains possible:")
	if plan.Block == nil {
		w.line("  - have the API server refuse what she writes: kubectl csr-onboard offboard %s --block", identity.ShellWord(plan.User))
	} else {
		w.line("  - reads are not refused by a block: what her groups may read, she may read until the end of her certificates")
		w.line("  - who may change admission policies can undo a block; take that right away as well")
	}
	if rights > 0 {
		w.line("  - take the rights away from her groups, or have the others in them move to new ones")
	}
	w.line("  - wait: short lifetimes (--expiration) make this the ordinary way")
	w.line("  - replace the certificate authority of the cluster's clients, which ends every client certificate")
	return w.err
}

// lines writes lines until one fails.
type lines struct {
	out io.Writer
	err error
}

func (l *lines) line(format string, arguments ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintln(l.out, strings.TrimRight(fmt.Sprintf(format, arguments...), " "))
	}
}
