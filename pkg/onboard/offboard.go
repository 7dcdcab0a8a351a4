package onboard

import (
	"context"
	"errors"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// OffboardInput is what it takes to take a user's access away.
type OffboardInput struct {
	// User is whose access it is. Required.
	User string
	// Certificate is one of hers, and Source the file it came from. Optional: with
	// Block or Unblock, only this certificate is meant, and nothing else of hers
	// is touched.
	Certificate *pki.Certificate
	Source      string
	// Block has the API server refuse what she writes, and Unblock takes that
	// back and does nothing else. Optional; not both.
	Block, Unblock bool
	// DryRun says how much is done: a client's shows it all, a server's has the
	// cluster check it. Required.
	DryRun DryRun
	// Confirm asks the administrator about what she was just shown. It is not
	// asked in a dry run. Required.
	Confirm func(context.Context, *Offboarding) error
}

// Offboarding is what is taken away from a user, and what can't be.
type Offboarding struct {
	// User is whose access it is.
	User string
	// Deny are her pending requests.
	Deny []*request.Review
	// TakeAway are the bindings that name her.
	TakeAway []access.Held
	// Block is what is blocked; nil if nothing is.
	Block *access.Blocked
	// Alive are her certificates that still log in, as far as can be seen.
	Alive []AliveCertificate
	// Groups are the groups of those certificates.
	Groups []string
	// GroupGrants is what her groups still give her.
	GroupGrants access.Grants
	// Unread says why it can't be said what her groups give her; "" if it can.
	Unread string
	// CertificateOnly says that one certificate is meant and nothing else.
	CertificateOnly bool
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

// Offboard takes away what can be taken away from a user (pending requests,
// bindings, and with Block her writes) and says what can't. What fails does not
// stop the rest; the first failure is returned with what was found.
func (p *Program) Offboard(ctx context.Context, in OffboardInput) (*Offboarding, error) {
	if in.Certificate != nil && in.Certificate.User().Name != in.User {
		return nil, outcome.Errorf(outcome.ErrUsage, "the certificate in %q is for %s, not for the user %q", in.Source, in.Certificate.Subject, in.User)
	}
	me, credentials, err := p.Cluster.Self(ctx)
	if err != nil {
		return nil, err
	}
	var plan *Offboarding
	if in.Certificate != nil && in.Block {
		plan = p.planOfCertificate(in)
	} else if plan, err = p.plan(ctx, in); err != nil {
		return nil, err
	}
	if plan.Block != nil {
		if err := p.checkBlock(ctx, *plan.Block, me, credentials); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(plan.Deny, isForSigner) && in.DryRun != DryRunClient {
		if err := p.Cluster.CheckMayDecide(ctx, request.Signer); err != nil {
			return nil, err
		}
	}
	if in.DryRun == DryRunClient {
		return plan, nil
	}
	if in.DryRun == DryRunNone {
		p.Tell(OffboardingPlanned{Plan: plan})
		if err := in.Confirm(ctx, plan); err != nil {
			return nil, err
		}
	}
	return plan, p.offboard(ctx, plan, me.Name, in.DryRun == DryRunServer)
}

// Unblock takes back what Offboard blocked, and says whether it was blocked.
func (p *Program) Unblock(ctx context.Context, in OffboardInput) (bool, error) {
	if in.DryRun == DryRunClient {
		return true, nil
	}
	return p.Cluster.Unblock(ctx, in.blocked(), in.DryRun == DryRunServer)
}

func (in OffboardInput) blocked() access.Blocked {
	if in.Certificate != nil {
		return access.Blocked{CredentialID: access.CredentialID(in.Certificate.SHA256())}
	}
	return access.Blocked{User: in.User}
}

func (p *Program) planOfCertificate(in OffboardInput) *Offboarding {
	blocked := in.blocked()
	plan := &Offboarding{User: in.User, Block: &blocked, CertificateOnly: true}
	plan.see(in.Source, in.Certificate, p.Now())
	return plan
}

// plan looks for everything of the user's.
func (p *Program) plan(ctx context.Context, in OffboardInput) (*Offboarding, error) {
	plan := &Offboarding{User: in.User}
	if in.Block {
		blocked := in.blocked()
		plan.Block = &blocked
	}
	if in.Certificate != nil {
		plan.see(in.Source, in.Certificate, p.Now())
	}
	err := p.eachDecoded(ctx, cluster.Query{AllSigners: true}, func(object *certificatesv1.CertificateSigningRequest, users []string) {
		if !slices.Contains(users, in.User) {
			return
		}
		review := request.ReviewOf(object)
		switch {
		case review.State == request.Pending && review.User.Name == in.User:
			plan.Deny = append(plan.Deny, review)
		case review.Certificate != nil && review.Certificate.User().Name == in.User:
			plan.see("request "+identity.Printable(object.Name), review.Certificate, p.Now())
		}
	})
	if err != nil {
		return nil, err
	}
	if plan.TakeAway, err = p.Cluster.HeldBy(ctx, in.User); err != nil {
		return nil, err
	}
	plan.GroupGrants, plan.Unread, err = p.Cluster.Grants(ctx)
	return plan, err
}

// isForSigner reports whether a request is for the signer whose requests an administrator
// is to be permitted to deny. That one for another signer can't be denied is told of it
// alone: anybody may create one in the user's name.
func isForSigner(review *request.Review) bool {
	return review.Object.Spec.SignerName == request.Signer
}

// see takes in a certificate that may still log in.
func (o *Offboarding) see(source string, certificate *pki.Certificate, now time.Time) {
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

// checkBlock refuses to block whom it would be a mistake to block.
func (p *Program) checkBlock(ctx context.Context, blocked access.Blocked, me identity.User, credentials []string) error {
	if blocked.User == me.Name || slices.Contains(credentials, blocked.CredentialID) && blocked.CredentialID != "" {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "you are logged in as %s, and would block yourself", blocked),
			"have another administrator do it")
	}
	if blocked.User == "" {
		return nil
	}
	grants, _, err := p.Cluster.Grants(ctx)
	if err != nil {
		return err
	}
	last := false
	for holder, given := range grants {
		if !slices.Contains(given, access.Grant{Role: access.ClusterAdmin}) || holder.IsGroup && identity.IsMasters(holder.Name) {
			continue
		}
		if holder != (access.Holder{Name: blocked.User}) {
			return nil
		}
		last = true
	}
	if last {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "%s is the last cluster-admin that role bindings know of", blocked),
			"make somebody else one first: kubectl csr-onboard grant NAME --clusterrole cluster-admin")
	}
	return nil
}

// offboard does what was planned. Blocking comes first: the rest may take a while.
func (p *Program) offboard(ctx context.Context, plan *Offboarding, me string, dryRun bool) error {
	var failures []error
	did := func(err error, event Event) bool {
		if err == nil {
			p.Tell(event)
			return true
		}
		failures = append(failures, err)
		p.Tell(NotTakenAway{Reason: err})
		return !errors.Is(err, outcome.ErrInterrupted)
	}
	if plan.Block != nil && !did(p.Cluster.Block(ctx, *plan.Block, dryRun), IdentityBlocked{Blocked: *plan.Block}) {
		return failures[0]
	}
	for _, review := range plan.Deny {
		_, err := p.Cluster.Decide(ctx, review, request.Denial(), p.signed(request.Denial(), "offboarded", me), dryRun)
		if !did(err, RequestDenied{Name: review.Object.Name}) {
			return failures[0]
		}
	}
	for _, held := range plan.TakeAway {
		if !did(p.Cluster.TakeAway(ctx, held, plan.User, dryRun), TakenAway{Held: held, User: plan.User}) {
			return failures[0]
		}
	}
	if len(failures) > 0 {
		return failures[0]
	}
	return nil
}
