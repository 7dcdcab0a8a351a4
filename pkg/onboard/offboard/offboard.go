package offboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/blocking"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Input is what it takes to take a user's access away.
type Input struct {
	// User is whose access it is. Required.
	User string
	// Certificate is one of theirs, and Source the file it came from. Optional: with
	// Block or Unblock, only this certificate is meant, and nothing else of theirs
	// is touched.
	Certificate *pki.Certificate
	Source      string
	// Block has the API server refuse what they write, and Unblock takes that
	// back and does nothing else. Optional; not both.
	Block, Unblock bool
	// Revoke says that the caller revokes the user when Confirm agrees. Optional.
	Revoke bool
	// DryRun says how much is done: a client's shows it all, a server's has the
	// cluster check it. Required.
	DryRun onboard.DryRun
	// Confirm asks the administrator about what they were just shown. It is not
	// asked in a dry run. Required.
	Confirm func(context.Context, *Plan) error
}

// Plan is what is taken away from a user, and what cannot be.
type Plan struct {
	// User is whose access it is.
	User string
	// Remember are the entries for the list: that the user was offboarded, and what is
	// blocked.
	Remember []access.Entry
	// Unissued are approved requests of the user that have no certificate yet.
	Unissued []*request.Review
	// Deny are their pending requests.
	Deny []*request.Review
	// TakeAway are the bindings that name the user and are to be taken away, and Kept those
	// that stay: all of them where one certificate is meant, else those that could not
	// be taken away.
	TakeAway, Kept []access.Held
	// Block is what is blocked; nil if nothing is.
	Block *access.Blocked
	// Revoke says that the user is revoked as well.
	Revoke bool
	// RefusedBy is how many of the API servers were seen refusing the user, and APIServers how many
	// there are; 0 before the user is revoked.
	RefusedBy, APIServers int
	// Alive are their certificates that still log in, as far as can be seen.
	Alive []AliveCertificate
	// Groups are the groups of those certificates.
	Groups []string
	// GroupGrants is what role bindings give to groups and users, and Rules what the
	// roles permit.
	GroupGrants access.Grants
	Rules       access.Rules
	// Unread says why it cannot be said what the user's groups give; "" if it can. RulesUnread
	// says it of what the roles permit.
	Unread, RulesUnread string
	// CertificateOnly says that one certificate is meant and nothing else.
	CertificateOnly bool
	// IsKnown says that something on the cluster, or a certificate that was given, names
	// the user.
	IsKnown bool
	// DryRun says how much of it is done.
	DryRun onboard.DryRun
}

// AliveCertificate is a certificate that still logs in.
type AliveCertificate struct {
	// Source is the request or the file that it was seen in.
	Source string
	// CredentialID names it in audit logs, and to block it.
	CredentialID string
	// NotAfter is its end.
	NotAfter time.Time
	// Groups are the groups in it.
	Groups []string
}

// AuthenticatedGroup is the group that the API server adds to every user who is logged in.
const AuthenticatedGroup = "system:authenticated"

// KnownGroups are the groups of the user's certificates, and of approved requests that
// have none yet, as far as can be seen.
func (o *Plan) KnownGroups() []string {
	names := slices.Clone(o.Groups)
	for _, review := range o.Unissued {
		for _, group := range review.User.Groups {
			if !slices.Contains(names, group) {
				names = append(names, group)
			}
		}
	}
	return names
}

// Impersonators are the users and groups that can act as the user, or as a member of one
// of the user's groups, by name; system:masters, which can do everything, is left out.
func (o *Plan) Impersonators() []access.Holder {
	var holders []access.Holder
	for holder, grants := range o.GroupGrants {
		if holder == (access.Holder{Name: o.User}) || holder.IsGroup && identity.IsMasters(holder.Name) {
			continue
		}
		if slices.ContainsFunc(grants, func(grant access.Grant) bool { return o.Rules.CanImpersonate(grant, o.User, o.KnownGroups()) }) {
			holders = append(holders, holder)
		}
	}
	slices.SortFunc(holders, func(a, b access.Holder) int { return strings.Compare(a.String(), b.String()) })
	return holders
}

// GivesImpersonation are the grants that stay and permit the user to act as others.
func (o *Plan) GivesImpersonation() []access.Grant {
	return that(o.Rules.CanImpersonateAny, o.remaining())
}

// GivesTokens are the grants that permit, or permitted until now, the user to take tokens
// of service accounts: such a token stays when the grant goes.
func (o *Plan) GivesTokens() []access.Grant {
	grants := o.remaining()
	for _, held := range o.TakeAway {
		grants = append(grants, held.Grant)
	}
	return that(o.Rules.CanTakeTokens, grants)
}

// that are the grants of a property, each once.
func that(hasProperty func(access.Grant) bool, grants []access.Grant) []access.Grant {
	var matching []access.Grant
	for _, grant := range grants {
		if hasProperty(grant) && !slices.Contains(matching, grant) {
			matching = append(matching, grant)
		}
	}
	return matching
}

// remaining are the grants that stay.
func (o *Plan) remaining() []access.Grant {
	var grants []access.Grant
	for _, held := range o.Kept {
		grants = append(grants, held.Grant)
	}
	for _, group := range append(o.KnownGroups(), AuthenticatedGroup) {
		grants = append(grants, o.GroupGrants[access.Holder{IsGroup: true, Name: group}]...)
	}
	return grants
}

// Run takes away what can be taken away from a user (pending requests,
// bindings, and with Block their writes) and says what cannot. What fails does not
// stop the rest; the first failure is returned with what was found.
func Run(ctx context.Context, p *onboard.Program, in Input) (*Plan, error) {
	if err := in.checkCertificate(); err != nil {
		return nil, err
	}
	me, credentials, err := p.Cluster.Self(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := makePlan(ctx, p, in, me.Name)
	if err != nil {
		return nil, err
	}
	plan.DryRun = in.DryRun
	if !plan.IsKnown && plan.Block == nil && !plan.Revoke {
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrNotFound, "nothing on the cluster names the user %q: no certificate signing request, no role binding", in.User),
			"check the name: kubectl csr-onboard list; certificates whose requests were deleted may still be valid: %s",
			identity.NewCommand("kubectl csr-onboard offboard").Argument(in.User).Words("--block"))
	}
	if plan.Block != nil {
		if err := plan.Block.CheckBlockable(); err != nil {
			return nil, err
		}
		if plan.CertificateOnly {
			if err := p.Cluster.Blocking().CheckKnowsCertificates(ctx); err != nil {
				return nil, err
			}
		}
	}
	if shutOut, verb := plan.shutsOut(me); shutOut != (access.Blocked{}) {
		if err := CheckLockout(ctx, p, shutOut, me, credentials, verb); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(plan.Deny, isForSigner) && in.DryRun != onboard.DryRunClient {
		if err := p.Cluster.CheckMayDecide(ctx, request.Signer); err != nil {
			return nil, err
		}
	}
	if in.DryRun == onboard.DryRunClient {
		return plan, nil
	}
	p.Tell(OffboardingPlanned{Plan: plan})
	if in.DryRun == onboard.DryRunNone {
		if err := in.Confirm(ctx, plan); err != nil {
			return nil, err
		}
	}
	return plan, takeAway(ctx, p, plan, me.Name, in.DryRun == onboard.DryRunServer)
}

// Unblock takes back what Offboard blocked, and of a user also the record that they were
// offboarded. It says what the list had; a client's dry run looks as well. A revocation is
// refused: package revoke removes it, and waits for the API servers.
func Unblock(ctx context.Context, p *onboard.Program, in Input) (blocking.Unblocked, error) {
	if err := in.checkCertificate(); err != nil {
		return blocking.Unblocked{}, err
	}
	if in.DryRun == onboard.DryRunClient {
		list, unread, err := p.Cluster.Blocking().List(ctx)
		if err == nil && unread != "" {
			err = outcome.WithHint(fmt.Errorf("forbidden: you cannot read the list of who is blocked: %s", unread), "ask a cluster administrator")
		}
		if err == nil {
			err = in.checkNotRevoked(list, p.Now())
		}
		_, blocked := list.Blocks(in.blocked())
		_, offboarded := list.Offboarded(in.blocked().User)
		return blocking.Unblocked{WasBlocked: blocked, WasOffboarded: offboarded}, err
	}
	return p.Cluster.Blocking().Unblock(ctx, in.blocked(), in.DryRun == onboard.DryRunServer, func(list access.List) error {
		return in.checkNotRevoked(list, p.Now())
	})
}

// checkNotRevoked refuses to unblock what is revoked.
func (in Input) checkNotRevoked(list access.List, now time.Time) error {
	details, isRefused := list.Refuses(in.blocked(), now)
	if !isRefused || !details.IsRevoked {
		return nil
	}
	unrevoke := identity.NewCommand("kubectl csr-onboard unrevoke")
	if in.Certificate != nil {
		unrevoke = unrevoke.Option("--certificate", in.Source)
	} else {
		unrevoke = unrevoke.Argument(in.User)
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrRefused, "%s is revoked, and not only blocked", in.blocked()),
		"to have the API servers accept it again: %s", unrevoke)
}

// checkCertificate refuses the certificate of another user than the one that was named.
func (in Input) checkCertificate() error {
	if in.Certificate == nil || in.Certificate.User().Name == in.User {
		return nil
	}
	return outcome.Errorf(outcome.ErrUsage, "the certificate in %q is for %s, not for the user %q", in.Source, in.Certificate.Subject, in.User)
}

func (in Input) blocked() access.Blocked {
	if in.Certificate != nil {
		return access.Blocked{CredentialID: access.CredentialID(in.Certificate.SHA256())}
	}
	return access.Blocked{User: in.User}
}

// makePlan looks for everything of the user's. me is the administrator.
func makePlan(ctx context.Context, p *onboard.Program, in Input, me string) (*Plan, error) {
	plan := &Plan{User: in.User, Revoke: in.Revoke, CertificateOnly: in.Certificate != nil && in.Block, IsKnown: in.Certificate != nil}
	if in.Certificate != nil {
		plan.see(in.Source, in.Certificate, p.Now())
	}
	plan.remember(in, me, p.Now())
	err := p.Cluster.Requests().EachOfUsers(ctx, requests.Query{AllSigners: true}, func(object *request.Request, users []string) {
		if !slices.Contains(users, in.User) {
			return
		}
		plan.IsKnown = true
		review := request.ReviewOf(object)
		switch {
		case review.State == request.Pending && review.User.Name == in.User:
			if !plan.CertificateOnly {
				plan.Deny = append(plan.Deny, review)
			}
		case review.State == request.Approved && review.User.Name == in.User:
			plan.Unissued = append(plan.Unissued, review)
		case review.Certificate != nil && review.Certificate.User().Name == in.User:
			plan.see("request "+identity.Printable(object.Name), review.Certificate, p.Now())
		}
	})
	if err != nil {
		return nil, err
	}
	held, err := p.Cluster.Bindings().HeldBy(ctx, in.User)
	if err != nil {
		return nil, err
	}
	if plan.IsKnown = plan.IsKnown || len(held) > 0; !plan.IsKnown {
		// An earlier run has left nothing but its record.
		list, _, err := p.Cluster.Blocking().List(ctx)
		if err != nil {
			return nil, err
		}
		_, isBlocked := list.Blocks(access.Blocked{User: in.User})
		_, isOffboarded := list.Offboarded(in.User)
		plan.IsKnown = isBlocked || isOffboarded || len(list.CertificatesOf(in.User)) > 0
	}
	if plan.CertificateOnly {
		plan.Kept = held
	} else {
		plan.TakeAway = held
	}
	if plan.GroupGrants, plan.Unread, err = p.Cluster.Bindings().Grants(ctx); err != nil {
		return nil, err
	}
	plan.Rules, plan.RulesUnread, err = p.Cluster.Bindings().Rules(ctx)
	return plan, err
}

// isForSigner reports whether a request is for the signer whose requests an administrator
// is to be permitted to deny. That one for another signer cannot be denied is told of it
// alone: anybody may create one in the user's name.
func isForSigner(review *request.Review) bool {
	return review.Object.Spec.SignerName == request.Signer
}

// remember says what is written into the list about the user.
func (o *Plan) remember(in Input, me string, now time.Time) {
	details := access.Details{User: in.User, By: me, At: now.UTC().Truncate(time.Second)}
	if in.Block {
		blocked := in.blocked()
		o.Block = &blocked
		block := access.Entry{Blocked: blocked, Details: details}
		if o.CertificateOnly {
			notAfter := in.Certificate.Leaf.NotAfter.UTC()
			block.Details.NotAfter, block.Details.Groups = &notAfter, in.Certificate.User().Groups
		}
		o.Remember = append(o.Remember, block)
	}
	if !o.CertificateOnly {
		o.Remember = append(o.Remember, access.Entry{Details: details})
	}
}

// see takes in a certificate that may still log in.
func (o *Plan) see(source string, certificate *pki.Certificate, now time.Time) {
	id := access.CredentialID(certificate.SHA256())
	if !now.Before(certificate.Leaf.NotAfter) || slices.ContainsFunc(o.Alive, func(a AliveCertificate) bool { return a.CredentialID == id }) {
		return
	}
	groups := certificate.User().Groups
	o.Alive = append(o.Alive, AliveCertificate{Source: source, CredentialID: id, NotAfter: certificate.Leaf.NotAfter, Groups: groups})
	for _, group := range groups {
		if !slices.Contains(o.Groups, group) {
			o.Groups = append(o.Groups, group)
		}
	}
}

// shutsOut is whom the plan refuses, or whose role as an administrator it removes, and the verb for
// that. An administrator whose rights depend on no role binding can remove any.
func (o *Plan) shutsOut(me identity.User) (_ access.Blocked, verb string) {
	if o.Block != nil {
		return *o.Block, "block"
	}
	isMaster := slices.ContainsFunc(me.Groups, identity.IsMasters)
	isAdministrator := slices.ContainsFunc(o.TakeAway, func(held access.Held) bool { return held.Grant == access.Grant{Role: access.ClusterAdmin} })
	if isAdministrator && !isMaster {
		return access.Blocked{User: o.User}, "offboard"
	}
	return access.Blocked{}, ""
}

// CheckLockout refuses to shut out whom it would be a mistake to shut out: the administrator
// who does it, and the last one who is not on the list of who is blocked. verb says what is done, such
// as "block".
func CheckLockout(ctx context.Context, p *onboard.Program, blocked access.Blocked, me identity.User, credentials []string, verb string) error {
	if blocked.User == me.Name || slices.Contains(credentials, blocked.CredentialID) && blocked.CredentialID != "" {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "you are logged in as %s, and would %s yourself", blocked, verb),
			"have another administrator do it")
	}
	if blocked.User == "" {
		return nil
	}
	grants, _, err := p.Cluster.Bindings().Grants(ctx)
	if err != nil {
		return err
	}
	list, _, err := p.Cluster.Blocking().List(ctx)
	if err != nil {
		return err
	}
	last := false
	for holder, given := range grants {
		if !slices.Contains(given, access.Grant{Role: access.ClusterAdmin}) || holder.IsGroup && identity.IsMasters(holder.Name) {
			continue
		}
		if holder == (access.Holder{Name: blocked.User}) {
			last = true
			continue
		}
		if _, isRefused := list.Refuses(access.Blocked{User: holder.Name}, p.Now()); holder.IsGroup || !isRefused {
			return nil
		}
	}
	if last {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "%s is the last cluster-admin of the role bindings", blocked),
			"make somebody else an administrator first: kubectl csr-onboard grant NAME --clusterrole cluster-admin")
	}
	return nil
}

// takeAway does what was planned. Blocking comes first: the rest may take a while, and
// the API servers learn of the block meanwhile. That it is in force is proven last.
func takeAway(ctx context.Context, p *onboard.Program, plan *Plan, me string, dryRun bool) error {
	var failures []error
	did := func(err error, e event.Event) bool {
		if err == nil {
			p.Tell(e)
			return true
		}
		failures = append(failures, err)
		p.Tell(NotTakenAway{Reason: err})
		return !errors.Is(err, outcome.ErrInterrupted)
	}
	blockWritten, err := remember(ctx, p, plan, dryRun)
	if err != nil && !did(err, nil) {
		return err
	}
	for _, review := range plan.Deny {
		_, err := p.Cluster.Requests().Decide(ctx, review, request.Denial(), request.Denial().Message("offboarded", me, p.Version), dryRun)
		if !did(err, RequestDenied{Name: review.Object.Name}) {
			return failures[0]
		}
	}
	for _, held := range plan.TakeAway {
		err := p.Cluster.Bindings().TakeAway(ctx, held, plan.User, dryRun)
		if err != nil {
			plan.Kept = append(plan.Kept, held)
		}
		if !did(err, TakenAway{Held: held, User: plan.User}) {
			return failures[0]
		}
	}
	switch {
	case !blockWritten:
	case dryRun:
		p.Tell(IdentityBlocked{Blocked: *plan.Block})
	default:
		if err := p.Cluster.Blocking().ProveBlocked(ctx, *plan.Block, plan.User); err != nil {
			failures = append(failures, err)
			p.Tell(BlockNotProven{Reason: err})
		} else {
			p.Tell(IdentityBlocked{Blocked: *plan.Block, IsProven: true})
		}
	}
	if len(failures) > 0 {
		return failures[0]
	}
	return nil
}

// remember writes what is to be remembered. Without a block, a record that cannot be
// written is told and fails nothing: what was asked for was not a record.
func remember(ctx context.Context, p *onboard.Program, plan *Plan, dryRun bool) (blockWritten bool, _ error) {
	if plan.Block != nil {
		err := p.Cluster.Blocking().Block(ctx, p.Now(), dryRun, *plan.Block, plan.Remember...)
		return err == nil, err
	}
	err := p.Cluster.Blocking().Remember(ctx, p.Now(), dryRun, plan.Remember...)
	if errors.Is(err, outcome.ErrInterrupted) {
		return false, err
	}
	if err != nil {
		p.Tell(NotRemembered{Reason: err})
	}
	return false, nil
}
