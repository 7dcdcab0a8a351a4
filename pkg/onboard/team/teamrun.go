package team

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/bindings"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const (
	// submitters bounds how many users are submitted and approved at once: enough to
	// keep an API server busy.
	submitters = 16
	// collectors bounds how many certificates are checked and written at once.
	collectors = 8
	// onboarding is what it is called that goes on (see Progress).
	onboarding = "onboarding"
	// troublePatience is how long a server that fails is asked again for one user.
	troublePatience = 2 * time.Minute
	// lookTime is how long it may take to ask about what nothing was heard of.
	lookTime = 10 * time.Second
)

// run is what Run works on. Users go through it in two stages, with the
// signer in between: begin makes key and request, submits and approves; collect takes
// the certificate. What is kept of a user in between is her place in the file.
type run struct {
	program *onboard.Program
	in      Input
	// known is what role bindings give; nil without Approve, or without a cluster.
	known *bindings.KnownGrants
	// standing is what is known of users who left; nil where known is.
	standing *request.Standing
	results  []Result

	whoAmI func(context.Context) (identity.User, error)
	// rehearsal is what a dry run with Approve finds; nil otherwise.
	rehearsal *rehearsal
	awaiting  *requests.Awaiting
	// prove is nil where nobody is to log in.
	prove onboard.Prove
	// finished takes what came of users, and begun each that now waits.
	finished chan memberFinished
	begun    chan struct{}

	mutex sync.Mutex
	// waiting is which user each expected request is of, and requests the name of each
	// user's request.
	waiting  map[string]int
	requests []string

	// reached says that the server was there once: before that, its address may be wrong.
	reached atomic.Bool
	hearing hearing
}

// memberFinished is what came of the user at a place.
type memberFinished struct {
	place  int
	result Result
}

func newRun(p *onboard.Program, in Input) *run {
	r := &run{
		in: in, results: make([]Result, len(in.Members)), requests: make([]string, len(in.Members)), waiting: map[string]int{},
		finished: make(chan memberFinished), begun: make(chan struct{}),
	}
	r.hearing.tell = p.Tell
	quiet := *p
	quiet.Tell = r.tell
	r.program = &quiet
	r.whoAmI = once(func(ctx context.Context) (identity.User, error) { return p.Cluster.WhoAmI(ctx) })
	return r
}

// once asks until it has been answered, and then remembers.
func once(ask func(context.Context) (identity.User, error)) func(context.Context) (identity.User, error) {
	var mutex sync.Mutex
	var known *identity.User
	return func(ctx context.Context) (identity.User, error) {
		mutex.Lock()
		defer mutex.Unlock()
		if known != nil {
			return *known, nil
		}
		answer, err := ask(ctx)
		if err == nil {
			known = &answer
		}
		return answer, err
	}
}

// run takes every user to an end.
func (r *run) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	if r.in.collects() {
		err := r.persevere(ctx, func() (err error) {
			r.awaiting, err = r.program.Cluster.Requests().AwaitMany(ctx, r.in.Signer, r.trouble)
			return err
		})
		if err != nil {
			return err
		}
		if r.in.VerifyLogin {
			r.prove = newProof(ctx, r.program).prove
		}
		for range collectors {
			working.Go(func() { r.collectEach(ctx) })
		}
	}
	places := make(chan int)
	working.Go(func() {
		defer close(places)
		for place := range r.in.Members {
			select {
			case places <- place:
			case <-ctx.Done():
				return
			}
		}
	})
	for range submitters {
		working.Go(func() {
			for place := range places {
				r.beginOne(ctx, place)
			}
		})
	}
	r.follow(parent, cancel)
	return nil
}

// beginOne begins with one user, and says what came of it where that is an end.
func (r *run) beginOne(ctx context.Context, place int) {
	result, waits := r.begin(ctx, place)
	if waits {
		select {
		case r.begun <- struct{}{}:
		case <-ctx.Done():
		}
		return
	}
	r.finishOne(ctx, place, result)
}

func (r *run) finishOne(ctx context.Context, place int, result Result) {
	select {
	case r.finished <- memberFinished{place, result}:
	case <-ctx.Done():
	}
}

// begin takes a user from her name to a request that is submitted and, with Approve,
// approved. waits is true where her certificate is waited for now.
func (r *run) begin(ctx context.Context, place int) (_ Result, waits bool) {
	member := r.in.Members[place]
	in := member.NewUserInput
	in.DryRun, in.Signer = r.in.DryRun, r.in.Signer
	failed := func(err error) (Result, bool) {
		if r.rehearsal == nil {
			return Result{Err: err}, false
		}
		_, lacks := r.rehearsal.of(member)
		return Result{Err: together(err, lacks)}, false
	}
	if r.in.collects() {
		to := r.program.Destination(r.in.Kubeconfig, in.Folder, in.User)
		if certificate := to.Complete(r.program.Now()); certificate != nil {
			if err := r.checkReturn(member, certificate.Leaf.PublicKey); err != nil {
				return failed(err)
			}
			return r.giveComplete(ctx, member, Result{State: MemberComplete, Path: to.Path, NotAfter: certificate.Leaf.NotAfter}), false
		}
		if err := to.CheckEarly(ctx); err != nil {
			return failed(err)
		}
	}
	r.program.WarnOfName(in.User)
	if r.known != nil {
		if err := r.program.CheckGrants(in.User, r.known); err != nil {
			return failed(err)
		}
	}
	submitted, err := r.program.PrepareRequest(in)
	if err == nil {
		err = r.checkReturn(member, submitted.Key.Public())
	}
	if err == nil {
		err = submitted.Keep()
	}
	if err != nil {
		return failed(err)
	}
	name := submitted.Object.Name
	if r.awaiting != nil {
		r.expect(name, place)
	}
	if in.DryRun != onboard.DryRunClient {
		err = r.persevere(ctx, func() error { return r.program.Send(ctx, in, submitted, r.whoAmI) })
	}
	if err == nil {
		name, err = r.sendAgain(ctx, in, place, submitted)
	}
	if err == nil && r.in.Approve && r.rehearsal == nil {
		err = r.approve(ctx, member, submitted)
	}
	if err == nil && r.awaiting != nil {
		r.awaiting.Await(submitted.Object)
		return Result{}, true
	}
	if r.awaiting != nil {
		r.forget(name)
	}
	var wanted []access.Wanted
	if r.rehearsal != nil {
		var lacks error
		wanted, lacks = r.rehearsal.of(member)
		err = together(err, lacks)
	}
	result := Result{Request: name, State: MemberSubmitted, Path: in.Folder.RequestPath(), Wanted: wanted, Err: err}
	switch {
	case in.DryRun == onboard.DryRunClient:
		result.State = MemberMade
	case in.DryRun == onboard.DryRunServer:
		result.State = MemberChecked
	case !submitted.Created:
		result.State = MemberFound
	}
	if r.in.KeepObjects {
		result.Object = submitted.Object
	}
	return result, false
}

// checkReturn leaves out a user who is blocked or was offboarded, unless the file says
// otherwise, and one whose role the holder of another certificate would get as well.
func (r *run) checkReturn(member Member, key crypto.PublicKey) error {
	if r.known == nil {
		return nil
	}
	wanted, err := member.Grants.WantedFor(member.User)
	if err != nil {
		return err
	}
	claim := request.Claim{User: member.User, Key: pki.Fingerprint(key), Gives: onboard.NewGrants(wanted, r.known.Grants)}
	return r.program.CheckStanding(r.standing, claim, member.Allow, func(finding string) string {
		return "write allow: [" + finding + "] for the user into the file"
	})
}

// sendAgain submits another request for a user whose request was found with a certificate
// that has expired. It returns the name of the request that counts.
func (r *run) sendAgain(ctx context.Context, in onboard.NewUserInput, place int, submitted *onboard.Submission) (name string, _ error) {
	name = submitted.Object.Name
	replaced, err := r.program.PrepareAgain(in, submitted)
	if err != nil || !replaced {
		return name, err
	}
	if r.awaiting != nil {
		r.forget(name)
		r.expect(submitted.Object.Name, place)
	}
	name = submitted.Object.Name
	return name, r.persevere(ctx, func() error { return r.program.Send(ctx, in, submitted, r.whoAmI) })
}

// giveComplete gives a user who has her kubeconfig already what she is to get.
func (r *run) giveComplete(ctx context.Context, member Member, result Result) Result {
	if r.in.Approve {
		result.Err = r.persevere(ctx, func() error { return r.program.Give(ctx, member.User, member.Grants) })
	}
	return result
}

// approve approves a user's request and gives her what she is to get.
func (r *run) approve(ctx context.Context, member Member, submitted *onboard.Submission) error {
	err := r.persevere(ctx, func() error {
		err := r.program.ApproveOwn(ctx, member.User, submitted)
		if !errors.Is(err, outcome.ErrChanged) {
			return err
		}
		// A call whose answer was lost has approved it, or another administrator.
		object, unknown := r.program.Cluster.Requests().Get(ctx, submitted.Object.Name)
		if cluster.MayPass(unknown) {
			return unknown
		}
		if unknown != nil || object.UID != submitted.Object.UID || !request.Approval().Is(request.StateOf(object)) {
			return err
		}
		submitted.Object = object
		return nil
	})
	if err != nil {
		return err
	}
	return r.persevere(ctx, func() error { return r.program.Give(ctx, member.User, member.Grants) })
}

func (r *run) expect(name string, place int) {
	r.mutex.Lock()
	r.waiting[name], r.requests[place] = place, name
	r.mutex.Unlock()
	r.awaiting.Expect(name)
}

// forget ends the wait for a request, and says whose it is.
func (r *run) forget(name string) (place int) {
	r.awaiting.Forget(name)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	place = r.waiting[name]
	delete(r.waiting, name)
	return place
}

// collectEach collects as the waits for certificates end.
func (r *run) collectEach(ctx context.Context) {
	for {
		select {
		case ending := <-r.awaiting.Ended():
			place := r.forget(ending.Name)
			r.finishOne(ctx, place, r.collect(ctx, r.in.Members[place], ending))
		case <-ctx.Done():
			return
		}
	}
}

// collect takes a user's certificate and writes her kubeconfig.
func (r *run) collect(ctx context.Context, member Member, ending requests.Ending) Result {
	result := Result{Request: ending.Name, State: MemberFetched, Err: ending.Err}
	if result.Err != nil {
		return result
	}
	key, keyPEM, err := onboard.ReadKey(member.Folder)
	if err != nil {
		result.Err = err
		return result
	}
	to := r.program.Destination(r.in.Kubeconfig, member.Folder, member.User)
	var fetched *onboard.Fetched
	result.Err = r.persevere(ctx, func() (err error) {
		fetched, err = r.program.Receive(ctx, to, &onboard.Submission{Object: ending.Object, Key: key, KeyPEM: keyPEM}, ending.Object, r.prove)
		return err
	})
	if result.Err == nil {
		result.Path, result.NotAfter, result.LoggedIn = fetched.Path, fetched.Certificate.Leaf.NotAfter, fetched.LoggedIn
	}
	if r.in.KeepObjects {
		result.Object = ending.Object
	}
	return result
}

// persevere repeats what a server fails at that is away or overloaded, for a while. One
// that was never there is not waited for.
func (r *run) persevere(ctx context.Context, do func() error) error {
	pause := wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 8, Cap: 5 * time.Second}
	var begin time.Time
	for {
		err := do()
		isAway := cluster.IsNobodyThere(err)
		if !isAway {
			r.reached.Store(true)
		}
		switch {
		case err == nil, ctx.Err() != nil, !r.mayPass(err), isAway && !r.reached.Load():
			return err
		case begin.IsZero():
			begin = time.Now()
		case time.Since(begin) > troublePatience:
			return err
		}
		if cluster.MayPass(err) {
			r.trouble(err)
		}
		duration := max(pause.Step(), cluster.SuggestedDelay(err))
		timer := time.NewTimer(duration)
		select {
		case <-ctx.Done():
			timer.Stop()
			return outcome.Errorf(outcome.ErrInterrupted, "interrupted: %w", err)
		case <-timer.C:
		}
	}
}

// startingTime is how long an API server that was away may refuse everybody
// everything, because it has not read its role bindings yet.
const startingTime = 30 * time.Second

// mayPass says whether what the server said may be otherwise in a moment.
func (r *run) mayPass(err error) bool {
	return cluster.MayPass(err) || apierrors.IsForbidden(err) && r.hearing.sinceTrouble() < startingTime
}

func (r *run) trouble(err error) { r.tell(onboard.StillFollowing{Trouble: err}) }

func (r *run) tell(event event.Event) { r.hearing.hear(event) }
