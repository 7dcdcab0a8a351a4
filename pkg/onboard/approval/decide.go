package approval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Input is what it takes to approve or deny requests.
type Input struct {
	// Decision is what is decided about all of them. Required.
	Decision request.Decision
	// Selection says which requests are meant. Required.
	Selection
	// Allow names refused findings to accept in an approval. Optional.
	Allow []string
	// Message is put into the decision. Optional.
	Message string
	// DryRun says how much is done: a client's is the review alone. Required.
	DryRun onboard.DryRun
	// Grants is what the users are to get besides, in an approval. Optional.
	Grants onboard.GrantInput
	// Check says what stands in the way of approving a request, in addition to its review.
	// Optional.
	Check func(*request.Review) error
	// RequireOtherApprover refuses to approve requests that the client submitted. Optional.
	RequireOtherApprover bool
	// Unasked says that Confirm says yes to everything, so that nobody looks.
	Unasked bool
	// Confirm asks the administrator about what they were just shown. It is not
	// asked where nothing is left to decide, or in a dry run. ErrDeclined leaves
	// that request alone; any other error ends everything. Required.
	Confirm func(context.Context, *request.Review) error
}

// ErrDeclined is the administrator's no to one request.
var ErrDeclined = errors.New("declined")

// Decided is what came of one request.
type Decided struct {
	// Review is what the administrator was shown.
	Review *request.Review
	// Object is the object as it is decided, now or before. In a client's dry
	// run it is the object that was reviewed.
	Object *request.Request
}

// ObjectsOf are the objects that were decided.
func ObjectsOf(decided []Decided) []*request.Request {
	objects := make([]*request.Request, len(decided))
	for i, one := range decided {
		objects[i] = one.Object
	}
	return objects
}

// Run finds the requests, shows each as it stands, asks, and decides about
// exactly what was shown. A request that was decided the same way already counts
// as decided.
//
// Requests that were named are all found, and pass their review if they are to be
// approved, before the first is decided. Of requests that were not named, each
// stands for itself: what is wrong with one is told, the others continue, and the
// first such error is the result's. What was decided is returned in either case; it is nil
// only where it did not come to a decision about any request.
func Run(ctx context.Context, p *onboard.Program, in Input) ([]Decided, error) {
	ready, err := prepare(ctx, p, in)
	if err != nil {
		return nil, err
	}
	// From here on the result says what was decided, even if that is nothing.
	d := &deciding{program: p, in: in, me: ready.circumstances.Approver, decided: []Decided{}}
	for _, review := range ready.contested {
		hint := fmt.Sprintf("ask the user for the fingerprint of their key, and then run: %s",
			identity.NewCommand("kubectl csr-onboard").Words(in.Decision.Verb).Argument(review.User.Name).Words("--fingerprint …"))
		if areForOneKey(having(ready.contested, func(r *request.Review) bool { return r.User.Name == review.User.Name })) {
			hint = "they are for the same key; name the request: " + byObject(in.Decision, review)
		}
		err := d.fail(outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "certificate signing request %q is one of several pending ones that claim the user %s", review.Object.Name, identity.Quote(review.User.Name)),
			"%s", hint))
		if err != nil {
			return nil, err
		}
	}
	for _, failureErr := range ready.failures {
		if err := d.fail(failureErr); err != nil {
			return nil, err
		}
	}
	meant := ready.meant
	for _, review := range meant {
		review.Consider(ready.circumstances)
	}
	if in.Choose != nil && len(meant) > 0 {
		if meant, err = in.Choose(meant); err != nil {
			return nil, err
		}
	}
	if len(meant) == 0 && len(d.failures) == 0 {
		p.Tell(NothingPending{})
	}
	left, err := d.review(ctx, meant)
	if err == nil {
		err = d.decide(ctx, left)
	}
	if err == nil {
		err = d.firstFailure()
	}
	if ready.mayDecideErr != nil {
		// A dry run shows what may be seen, and ends as the real run would.
		err = ready.mayDecideErr
	}
	return d.decided, err
}

// prepared is what has to be known before anything is shown.
type prepared struct {
	meant, contested []*request.Review
	// failures are about files that hold no request to decide about.
	failures      []error
	circumstances request.Circumstances
	// mayDecideErr is why the client may not decide; it is for the end of a dry
	// run.
	mayDecideErr error
}

// prepare asks the cluster everything at once: may I, who am I, what do role
// bindings give, and which requests are meant.
func prepare(ctx context.Context, p *onboard.Program, in Input) (*prepared, error) {
	var result prepared
	var findErr error
	q := beginQuestions(ctx, p, usersIn(in.Names, in.Files), in.wanted)
	// Candidates are told on the way, and only to somebody who can decide.
	events := make([]event.Event, 0)
	finder := *p
	finder.Tell = func(e event.Event) { events = append(events, e) }
	switch {
	case len(in.Files) > 0:
		result.meant, result.failures, findErr = imported(ctx, &finder, in)
	case len(in.Names) > 0:
		result.meant, findErr = named(ctx, &finder, in, q.all)
	default:
		result.meant, result.contested, findErr = pending(in, q.all)
	}
	err := q.wait()
	result.mayDecideErr = q.mayDecideErr
	if result.mayDecideErr != nil && in.DryRun != onboard.DryRunClient {
		return nil, result.mayDecideErr
	}
	for _, told := range events {
		p.Tell(told)
	}
	if err := cmp.Or(findErr, err); err != nil {
		return nil, cmp.Or(result.mayDecideErr, err)
	}
	result.circumstances = q.about(ctx, p, result.meant)
	result.circumstances.RequireOtherApprover = in.RequireOtherApprover
	result.circumstances.Gives = func(user identity.User) []access.Wanted {
		// Whether it can be given at all is for checkGiving.
		wanted, _ := in.Grants.WantedFor(user)
		return onboard.NewGrants(wanted, result.circumstances.Grants)
	}
	return &result, nil
}

// deciding is one run of Decide.
type deciding struct {
	program *onboard.Program
	in      Input
	// me is who decides.
	me      string
	decided []Decided
	// failures are the errors of requests that were not named.
	failures []error
}

// review takes out the requests about which nothing is left to do, and, after
// showing them, those that may not be approved.
func (d *deciding) review(ctx context.Context, meant []*request.Review) (left []*request.Review, _ error) {
	var refusedErr error
	for _, review := range meant {
		dryRun := d.in.DryRun == onboard.DryRunClient
		if dryRun {
			d.decided = append(d.decided, Decided{Review: review, Object: review.Object})
		}
		if review.State != request.Pending {
			if err := d.checkDecidedSo(review); err != nil {
				if err := d.fail(err); err != nil && refusedErr == nil {
					refusedErr = err
				}
				continue
			}
			d.program.Tell(AlreadyDecided{Decision: d.in.Decision, Name: review.Object.Name, Message: request.StateMessage(review.Object)})
			if len(d.in.Grants.Grants) == 0 {
				if !dryRun {
					d.decided = append(d.decided, Decided{Review: review, Object: review.Object})
				}
				continue
			}
		}
		if err := d.check(ctx, review); err != nil {
			d.show(review)
			if err := d.fail(err); err != nil && refusedErr == nil {
				refusedErr = err
			}
			continue
		}
		left = append(left, review)
	}
	return left, refusedErr
}

// checkDecidedSo refuses to call a request decided that was decided otherwise.
func (d *deciding) checkDecidedSo(review *request.Review) error {
	if d.in.Decision.Is(review.State) {
		return nil
	}
	return decidedAlready(review)
}

func decidedAlready(review *request.Review) error {
	return outcome.Errorf(outcome.ErrChanged, "certificate signing request %q of %q is decided already: %s",
		review.Object.Name, review.User.Name, request.DescribeDecision(review.Object))
}

// checkMeant refuses, where nobody looks at it before it is decided, a request of
// somebody else's that merely has the name that was given: it may stand there in
// place of a user of that name.
func (d *deciding) checkMeant(review *request.Review) error {
	name := review.Object.Name
	if !d.in.Unasked || d.in.Fingerprint != "" || review.HasDerivedName() || review.User.Name == name ||
		review.Requester == d.me || review.RequesterIsAdministrator() || !slices.Contains(d.in.Names, Name{Text: name}) {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "%q is the name of a request for another user, %s, which %s submitted",
			name, identity.Quote(review.User.Name), identity.Quote(review.Requester)),
		"look at it at a terminal, without --yes; or give the key's fingerprint as the user told it: --fingerprint")
}

// checkUnseen refuses, where nobody looks at it before it is approved, what a person has to
// be shown, however it was selected. A fingerprint that the user told is as good.
func (d *deciding) checkUnseen(review *request.Review) error {
	if !d.in.Unasked || d.in.Fingerprint != "" || review.State != request.Pending {
		return nil
	}
	return review.CheckUnseen()
}

// check says what stands in the way of deciding a request.
func (d *deciding) check(ctx context.Context, review *request.Review) error {
	if !d.in.Decision.Is(request.Approved) {
		return d.checkMeant(review)
	}
	review.ShowAllowed(d.in.Allow)
	if err := review.CheckAllowed(d.in.Allow); err != nil {
		return err
	}
	if err := d.checkMeant(review); err != nil {
		return err
	}
	if err := d.checkUnseen(review); err != nil {
		return err
	}
	if d.in.Check != nil {
		if err := d.in.Check(review); err != nil {
			return err
		}
	}
	return d.program.CheckGiving(ctx, review.User, d.in.Grants)
}

// show shows a request as narration; in a client's dry run, the reviews are the
// output.
func (d *deciding) show(review *request.Review) {
	if d.in.DryRun == onboard.DryRunClient {
		return
	}
	d.program.Tell(onboard.Reviewed{Review: review, Now: d.program.Now()})
	if wanted, err := d.in.Grants.WantedFor(review.User); err == nil && len(wanted) > 0 {
		d.program.Tell(ToBeGiven{Wanted: wanted})
	}
}

// decide shows each request, asks about it and decides it.
func (d *deciding) decide(ctx context.Context, left []*request.Review) error {
	if d.in.DryRun == onboard.DryRunClient {
		return nil
	}
	if d.in.Unasked && d.in.isBulk() && d.in.DryRun == onboard.DryRunNone {
		return d.decideTogether(ctx, left)
	}
	for _, review := range left {
		d.show(review)
		if d.in.DryRun == onboard.DryRunNone {
			if err := d.in.Confirm(ctx, review); err != nil {
				if !errors.Is(err, ErrDeclined) {
					return err
				}
				if err := d.fail(err); err != nil {
					return err
				}
				continue
			}
		}
		object, err := d.decideOne(ctx, review)
		if object != nil {
			d.decided = append(d.decided, Decided{Review: review, Object: object})
		}
		if err != nil {
			if err := d.fail(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// decideOne decides about exactly what was shown, and submits it before that
// where it came in a file. Then its user gets what they are to get. The object is
// returned as soon as it is decided, whatever goes wrong after that.
func (d *deciding) decideOne(ctx context.Context, review *request.Review) (*request.Request, error) {
	object, err := d.decideAlone(ctx, review)
	if err != nil || d.in.DryRun != onboard.DryRunNone {
		return object, err
	}
	return object, d.program.Give(ctx, review.User, d.in.Grants)
}

func (d *deciding) decideAlone(ctx context.Context, review *request.Review) (*request.Request, error) {
	if review.State != request.Pending {
		return review.Object, nil
	}
	dryRun := d.in.DryRun == onboard.DryRunServer
	if review.Source != "" {
		submitted, err := submitReviewed(ctx, d.program, review, dryRun)
		if err != nil {
			return nil, err
		}
		if dryRun {
			// There is nothing that could be decided.
			return submitted.Object, nil
		}
		review = submitted
	}
	return d.program.Cluster.Requests().Decide(ctx, review, d.in.Decision, d.in.Decision.Message(d.in.Message, d.me, d.program.Version), dryRun)
}

// fail takes in that a request was not decided. The error it returns ends
// everything.
func (d *deciding) fail(err error) error {
	if !d.in.isBulk() || errors.Is(err, outcome.ErrInterrupted) {
		return err
	}
	d.failures = append(d.failures, err)
	if errors.Is(err, ErrDeclined) {
		return nil
	}
	d.program.Tell(onboard.NotDecided{Decision: d.in.Decision, Reason: err})
	return nil
}

// firstFailure is the error of requests that were not named, if any was not
// decided.
func (d *deciding) firstFailure() error {
	switch len(d.failures) {
	case 0:
		return nil
	case 1:
		return d.failures[0]
	}
	return fmt.Errorf("%d requests were not %s; the first: %w", len(d.failures), d.in.Decision.Done, d.failures[0])
}
