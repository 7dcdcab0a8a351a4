package renewal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Input is what it takes to renew the certificate of a kubeconfig user.
type Input struct {
	// User is whose certificate is renewed. Required.
	User pair.KubeconfigUser
	// Renewals is the directory in which an unfinished renewal waits. Required.
	Renewals string
	// DryRun only reports whether the certificate would be renewed, as far as that is known without
	// the cluster. Optional.
	DryRun bool
	// Within renews only a certificate that expires within this time; the zero value
	// renews any.
	Within request.Within
	// Lifetime is how long the new certificate should be good for; 0 is as long
	// as the present one.
	Lifetime time.Duration
	// Timeout is how long to wait for the certificate; 0 only looks whether it is
	// there.
	Timeout time.Duration
	// SkipIfBusy leaves a renewal alone that another process works on; otherwise
	// that is waited for.
	SkipIfBusy bool
	// Approve approves the request with the present certificate, and Allow names
	// findings to accept then.
	Approve bool
	Allow   []string
	// Force gives up a renewal that is pending or was denied, and starts again with
	// another key.
	Force bool
	// MoveCache has the credential cache of User belong to the API server of Cluster
	// from now on, where it was made for another one. Otherwise that is an error.
	MoveCache bool
	// Resume is the command that continues with the renewal, and Again the one that
	// starts again, for hints. Required.
	Resume, Again string
}

// State is where a renewal stands when a run ends.
type State string

// The states of a renewal.
const (
	// RenewalDone is a certificate that was renewed.
	RenewalDone State = "renewed"
	// RenewalPending is a renewal that waits for its approval.
	RenewalPending State = "pending"
	// RenewalNotDue is a certificate that was not to be renewed yet.
	RenewalNotDue State = "unchanged"
	// RenewalDue is a certificate that a dry run would have renewed.
	RenewalDue State = "due"
)

// Renewed is how a renewal stands.
type Renewed struct {
	// Context is what a person calls the kubeconfig user by.
	Context string
	State   State
	// NotAfter is the end of the certificate that is in use now.
	NotAfter time.Time
}

// Run gives a kubeconfig user a new key and a new certificate of the same user and
// groups. The present ones are used to ask for it, and stay in use until the new ones
// have logged in. A renewal that an earlier run left is found and finished. Cluster is
// the API server of the user's context; whom it logs in as does not matter.
func Run(ctx context.Context, p *onboard.Program, in Input) (*Renewed, error) {
	if !in.MoveCache {
		if err := pair.CheckCacheOf(in.User, p.Cluster.Endpoint()); err != nil {
			return nil, outcome.WithHint(err, "nothing was changed; if this kubeconfig is yours and the API server has moved: %s --move-cache", in.Resume)
		}
	}
	present, err := in.User.Read(p.Now)
	if err != nil {
		return nil, err
	}
	if err := pair.CheckBegun(present.Certificate, p.Now()); err != nil {
		return nil, fmt.Errorf("the context %q: %w", in.User.Context, err)
	}
	if end := present.Certificate.Leaf.NotAfter; !in.Within.IsZero() && end.Sub(p.Now()) > in.Within.Of(present.Certificate.Lifetime()) {
		p.Tell(NotDue{Context: in.User.Context, NotAfter: end})
		return &Renewed{Context: in.User.Context, State: RenewalNotDue, NotAfter: end}, nil
	}
	renewal := store.RenewalOf(in.Renewals, present.Certificate.User().Name, present.Certificate.SHA256())
	if in.DryRun {
		if err := checkAhead(in, present, renewal, p.Now()); err != nil {
			return nil, err
		}
		p.Tell(Due{Context: in.User.Context, User: present.Certificate.User(), NotAfter: present.Certificate.Leaf.NotAfter})
		return &Renewed{Context: in.User.Context, State: RenewalDue, NotAfter: present.Certificate.Leaf.NotAfter}, nil
	}
	lock, err := lockRenewal(ctx, renewal, in)
	if err != nil {
		return nil, err
	}
	if lock == nil {
		p.Tell(Busy{Context: in.User.Context})
		return &Renewed{Context: in.User.Context, State: RenewalPending, NotAfter: present.Certificate.Leaf.NotAfter}, nil
	}
	renewed, err := renewLocked(ctx, p, in, present, renewal)
	return renewed, errors.Join(err, lock.Release())
}

// checkAhead finds what would have a renewal refused, as far as that needs no cluster.
func checkAhead(in Input, present *pair.Held, renewal store.Renewal, now time.Time) error {
	if !now.Before(present.Certificate.Leaf.NotAfter) {
		return pair.Expired(in.User, present.Certificate, now)
	}
	if reason := renewal.Refusal(); reason != "" && !in.Force {
		return asRefused(in, present, errors.New(reason))
	}
	return checkMasters(present.Certificate.User())
}

// lockRenewal takes the renewal for this process; nil is one that another process
// works on and that is not to be waited for.
func lockRenewal(ctx context.Context, renewal store.Renewal, in Input) (*store.Lock, error) {
	if in.SkipIfBusy || in.Timeout == 0 {
		return store.TryLock(renewal.LockPath())
	}
	ctx, cancel := context.WithTimeout(ctx, in.Timeout)
	defer cancel()
	lock, err := store.WaitForLock(ctx, renewal.LockPath())
	if errors.Is(err, outcome.ErrTimedOut) || errors.Is(err, outcome.ErrInterrupted) {
		err = outcome.WithHint(err, "another run is renewing it; everything stays as it is; look again with: %s", in.Resume)
	}
	return lock, err
}

func renewLocked(ctx context.Context, p *onboard.Program, in Input, before *pair.Held, renewal store.Renewal) (*Renewed, error) {
	// The holder of the lock may have renewed it.
	present, err := in.User.Read(p.Now)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(before.Certificate.SHA256(), present.Certificate.SHA256()) {
		end := present.Certificate.Leaf.NotAfter
		p.Tell(RenewedMeanwhile{Context: in.User.Context, NotAfter: end})
		return &Renewed{Context: in.User.Context, State: RenewalDone, NotAfter: end}, nil
	}
	if end := present.Certificate.Leaf.NotAfter; !p.Now().Before(end) {
		return nil, pair.Expired(in.User, present.Certificate, p.Now())
	}
	asUser, err := p.Cluster.With(cluster.ByCertificate(present.Credentials))
	if err != nil {
		return nil, err
	}
	r := &renewing{program: p, asUser: *p, in: in, present: present, renewal: renewal}
	r.asUser.Cluster = asUser
	return r.run(ctx)
}

// renewing is one run that works on one renewal and has its lock.
type renewing struct {
	program *onboard.Program
	// asUser is the program as the user of the present certificate.
	asUser  onboard.Program
	in      Input
	present *pair.Held
	renewal store.Renewal
	user    identity.User
}

func (r *renewing) run(ctx context.Context) (*Renewed, error) {
	if r.in.Force {
		if err := r.renewal.Discard(); err != nil {
			return nil, err
		}
	}
	if reason := r.renewal.Refusal(); reason != "" {
		return nil, asRefused(r.in, r.present, errors.New(reason))
	}
	if err := r.whoAmI(ctx); err != nil {
		return nil, err
	}
	if cache := r.in.User.Cache; cache != nil && r.in.MoveCache {
		if err := moveCache(ctx, r.program, *cache); err != nil {
			return nil, err
		}
	}
	// The present pair has logged in: what it has replaced is not needed any more.
	if err := r.discardFinished(); err != nil {
		return nil, err
	}
	if err := r.checkPlace(ctx); err != nil {
		return nil, err
	}
	if r.in.Approve {
		if err := r.asUser.Cluster.CheckMayDecide(ctx, request.Signer); err != nil {
			return nil, err
		}
	}
	submitted, err := r.submit(ctx)
	if err != nil {
		return nil, err
	}
	object := submitted.Object
	if r.in.Approve && request.StateOf(object) == request.Pending {
		if object, err = r.approve(ctx, object); err != nil {
			return nil, err
		}
	}
	issued, err := r.await(ctx, object)
	if err != nil {
		return nil, err
	}
	if request.StateOf(issued) != request.Issued {
		end := r.present.Certificate.Leaf.NotAfter
		r.program.Tell(Waits{Request: issued.Name, State: request.StateOf(issued), NotAfter: end, Resume: r.in.Resume})
		return &Renewed{Context: r.in.User.Context, State: RenewalPending, NotAfter: end}, nil
	}
	certificate, err := r.rotate(ctx, issued, submitted)
	if err != nil {
		return nil, err
	}
	return &Renewed{Context: r.in.User.Context, State: RenewalDone, NotAfter: certificate.Leaf.NotAfter}, nil
}

// whoAmI asks the cluster whether the present certificate still is who it says, and
// takes the user and groups that hold.
func (r *renewing) whoAmI(ctx context.Context) error {
	user, lost, err := holderOf(ctx, r.asUser.Cluster, r.in.User, r.present)
	if err != nil {
		return err
	}
	r.user = user
	if len(lost) > 0 {
		r.program.Tell(GroupsLost{User: user.Name, Groups: lost})
	}
	return nil
}

// holderOf asks the cluster, as the holder of a pair, who that is: the certificate's user
// in those of its groups that hold, and which do not. Who cannot be renewed is an error.
func holderOf(ctx context.Context, asUser *cluster.Client, user pair.KubeconfigUser, held *pair.Held) (holder identity.User, lost []string, _ error) {
	named := held.Certificate.User()
	me, err := asUser.WhoAmI(ctx)
	if err != nil {
		return holder, nil, err
	}
	if me.Name != named.Name {
		return holder, nil, outcome.WithHint(
			fmt.Errorf("the cluster accepts the certificate of %q as %q", named.Name, me.Name),
			"nothing was changed; is %s another cluster's?", identity.Quote(user.Context))
	}
	holder.Name = named.Name
	for _, group := range named.Groups {
		if slices.Contains(me.Groups, group) {
			holder.Groups = append(holder.Groups, group)
		} else {
			lost = append(lost, group)
		}
	}
	return holder, lost, checkMasters(holder)
}

// checkMasters refuses a user for whom no API server accepts a request.
func checkMasters(user identity.User) error {
	if !slices.ContainsFunc(user.Groups, identity.IsMasters) {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrRefused, "system-group: the certificate of %q is in the group system:masters, for which no API server accepts a request", user.Name),
		"renew it where it was created, for example with kubeadm certs renew admin.conf; or onboard its holder with another user name")
}

// mayNotRenew is the error of who cannot ask for another certificate.
func mayNotRenew(user string, causeErr error) error {
	err := fmt.Errorf("the user %q cannot renew the certificate: forbidden", user)
	if causeErr != nil {
		err = fmt.Errorf("the user %q cannot renew the certificate: %w", user, causeErr)
	}
	return outcome.ReplaceHint(err, "ask an administrator to run: %s", identity.NewCommand("kubectl csr-onboard grant").Argument(user).Words("--renewable"))
}

// discardFinished removes what is left of the renewal that the present pair came
// from, after a run that did not come to its end.
func (r *renewing) discardFinished() error {
	store.RemoveAbandonedLocks(r.in.Renewals, r.user.Name)
	for _, earlier := range store.RenewalsOf(r.in.Renewals, r.user.Name) {
		key, _, err := onboard.ReadKey(earlier.UserDirectory)
		if err == nil && pki.SamePublicKey(key.Public(), r.present.Key.Public()) {
			if err := earlier.Discard(); err != nil {
				return err
			}
		}
	}
	return nil
}

// submit finds the renewal's request, or makes it with a key of the present one's
// kind.
func (r *renewing) submit(ctx context.Context) (*onboard.Submission, error) {
	lifetime := r.in.Lifetime
	if lifetime == 0 {
		present := r.present.Certificate.AskedLifetime()
		if lifetime = request.AskableLifetime(present); lifetime < present {
			r.program.Tell(LifetimeNotAskable{Present: present, Asked: lifetime})
		}
	}
	isNew := !r.renewal.HasKey()
	in := onboard.NewUserInput{
		User:         r.user,
		Directory:    r.renewal.UserDirectory,
		KeyAlgorithm: pki.AlgorithmOf(r.present.Key.Public()),
		Lifetime:     lifetime,
		Signer:       request.Signer,
		DryRun:       onboard.DryRunNone,
	}
	submitted, err := r.asUser.Submit(ctx, in)
	if err == nil && submitted.ExpiredCertificate(r.program.Now()) != nil {
		// Nobody has ever used its key.
		if err := r.renewal.Discard(); err != nil {
			return nil, err
		}
		submitted, err = r.asUser.Submit(ctx, in)
	}
	if err == nil && r.in.Approve && !submitted.Created {
		source := ""
		if r.in.Lifetime != 0 {
			source = "--expiration"
		}
		if err := onboard.CheckLifetime(submitted.Object, lifetime, source, "to request another: "+r.in.Again); err != nil {
			return nil, err
		}
	}
	switch {
	case errors.Is(err, outcome.ErrRejected):
		return nil, r.remember(err)
	case apierrors.IsForbidden(err) || cluster.IsDeniedByAdmission(err):
		if !cluster.IsDeniedByAdmission(err) {
			err = mayNotRenew(r.user.Name, err)
		}
		if isNew {
			// It has no request, and it would look like a renewal that waits.
			err = errors.Join(err, r.renewal.Discard())
		}
		return nil, err
	case err != nil:
		return nil, outcome.ReplaceHint(err, "nothing was changed; run the same command again to continue")
	}
	return submitted, nil
}

// remember keeps for the next run that the request will never become a certificate.
func (r *renewing) remember(err error) error {
	if writeErr := r.renewal.WriteRefusal(err.Error()); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	return asRefused(r.in, r.present, err)
}

func asRefused(in Input, present *pair.Held, err error) error {
	return outcome.ReplaceHint(
		outcome.Errorf(outcome.ErrRejected, "the renewal of %q was refused: %w", present.Certificate.User().Name, err),
		"the present certificate is valid until %s; to request another: %s", pki.Stamp(present.Certificate.Leaf.NotAfter), in.Again)
}

func (r *renewing) approve(ctx context.Context, object *request.Request) (*request.Request, error) {
	review := request.ReviewOf(object)
	standing, err := r.asUser.Standing(ctx)
	if err != nil {
		return nil, err
	}
	review.Consider(request.Circumstances{Approver: r.user.Name, Standing: standing})
	if err := review.CheckAllowed(r.in.Allow); err != nil {
		return nil, err
	}
	approval := request.Approval()
	approved, err := r.asUser.Cluster.Requests().Decide(ctx, review, approval, approval.Message("", r.user.Name, r.program.Version), false)
	if err != nil {
		return nil, err
	}
	r.program.Tell(onboard.RequestApproved{Name: approved.Name})
	return approved, nil
}

// await waits for the certificate, or only looks. Where the wait is not the run's
// purpose, the object is handed back as it is.
func (r *renewing) await(ctx context.Context, object *request.Request) (*request.Request, error) {
	patience := r.in.Timeout
	if patience == 0 {
		if !r.in.Approve {
			return object, nil
		}
		patience = approvedPatience
	}
	issued, err := r.asUser.Await(ctx, patience, r.in.Resume, object)
	if err != nil && !r.program.Now().Before(r.present.Certificate.Leaf.NotAfter) {
		return nil, pair.Expired(r.in.User, r.present.Certificate, r.program.Now())
	}
	switch {
	case errors.Is(err, outcome.ErrRejected):
		return nil, r.remember(err)
	case errors.Is(err, outcome.ErrNotFound):
		return nil, outcome.ReplaceHint(err, "the present certificate stays in use; ask again with the same key: %s", r.in.Resume)
	}
	return issued, err
}

// approvedPatience is how long a run that does not wait still waits for the signer,
// after it has approved the request itself.
const approvedPatience = 10 * time.Second

// logInWith proves a pair: the cluster must take its holder for the user.
func (r *renewing) logInWith(ctx context.Context, held *pair.Held) error {
	_, err := cluster.ProveLogIn(ctx, r.program.Cluster.LogIn, held.Credentials, r.user.Name)
	return err
}
