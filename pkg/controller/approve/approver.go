package approve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/fairqueue"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Name is the name of the controller.
const Name = "approver"

// DefaultAccount is the service account as which deploy/ has the approver decide.
const DefaultAccount = ledger.Approver

const (
	// workers evaluate and decide at the same time; most of it is waiting for the API server.
	workers = 16
	// coalesce is how long changes are collected that may matter to every request.
	coalesce = 300 * time.Millisecond
	// freshness bounds how long after it was confirmed something is decided.
	freshness = 2 * time.Second
	// retryFailed is after how long something is tried again that the API server has not answered,
	// mostRetryFailed what that grows to where it refuses a decision again and again, and sweepPeriod how
	// often what is due is looked for.
	retryFailed     = 2 * time.Second
	mostRetryFailed = 30 * time.Second
	sweepPeriod     = 30 * time.Second
)

// Controller is the approver, to be run by package controller.
func Controller() controller.Controller { return controller.Controller{Name: Name, Lead: Lead} }

// decider writes a decision into the request that was reviewed, and no other.
type decider interface {
	Decide(ctx context.Context, review *request.Review, decision request.Decision, message string, dryRun bool) (*request.Request, error)
}

// doors are what an approver asks of the API server besides the sources that it follows.
type doors struct {
	requests  decider
	rules     ruleReader
	authority authority
	reports   reports
	statuses  statusWriter
}

// approver is one term of the leader.
type approver struct {
	controller.Tools
	*evaluator

	requests  decider
	queue     *fairqueue.Queue
	confirmer *confirmer
	notes     *notes
	statuses  *statuses
	metrics   *metrics

	// changed is signaled where something changed that may matter to every request.
	changed chan struct{}

	mutex sync.Mutex
	// left are the requests that were left to people.
	left map[types.UID]*leftRequest
	// busy are the requests that somebody works on.
	busy map[types.UID]bool
	// refusals says when a decision that the API server refuses is tried again.
	refusals workqueue.TypedRateLimiter[types.UID]
	// usersChanged are the users of whom a request was decided, or is gone, and requestersChanged the
	// requesters of whom an approval counts no longer.
	usersChanged, requestersChanged map[string]bool
}

// leftRequest is what is remembered of a request that was left to people.
type leftRequest struct {
	rules   int64
	version string
	retryAt time.Time
}

// Lead decides until the context ends.
func Lead(ctx context.Context, tools controller.Tools) error {
	me, err := tools.Cluster.WhoAmI(ctx)
	if err != nil {
		return err
	}
	from, err := clientsOf(tools.Cluster)
	if err != nil {
		return err
	}
	a, tell, err := newApprover(tools, me.Name, doors{
		requests: from.requests, rules: from, authority: tools.Cluster.Controlling(), reports: tools.Cluster.Controlling().Outcomes(), statuses: from.policies,
	})
	if err != nil {
		return err
	}
	a.run(ctx, sourcesOf(a.world, from, tell))
	return nil
}

// newApprover makes an approver that decides as a user, and what its sources have to tell it.
func newApprover(tools controller.Tools, name string, to doors) (*approver, listener, error) {
	w, err := newWorld()
	if err != nil {
		return nil, listener{}, err
	}
	a := &approver{
		Tools:     tools,
		evaluator: &evaluator{world: w, approver: name, permissions: newPermissions(to.authority, tools.Now)},
		requests:  to.requests, queue: fairqueue.New(tools.Now), metrics: newMetrics(tools.Metrics),
		notes: newNotes(to.reports, tools.Now), statuses: newStatuses(to.statuses, w, tools.Now, tools.Log), changed: make(chan struct{}, 1),
		left: map[types.UID]*leftRequest{}, busy: map[types.UID]bool{}, usersChanged: map[string]bool{}, requestersChanged: map[string]bool{},
		refusals: workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](retryFailed, mostRetryFailed),
	}
	tell := listener{request: a.requestChanged, gone: a.requestGone, circumstances: a.circumstancesChanged, ledger: a.ledgerChanged, policies: a.statuses.compiled}
	a.confirmer = &confirmer{rules: to.rules, world: w, tell: tell}
	return a, tell, nil
}

// run decides until the context ends, once every source was read.
func (a *approver) run(ctx context.Context, sources []source) {
	defer a.queue.Close()
	var running sync.WaitGroup
	defer running.Wait()
	if err := a.followAll(ctx, &running, sources); err != nil {
		// The term has ended.
		return
	}
	if err := a.notes.load(ctx); err != nil {
		a.Log.Warn("earlier outcomes cannot be read", "error", err.Error())
	}
	a.Working()
	a.Log.Info("everything was read, and all policies are compiled", "policies", len(a.world.compiled()), "pending", len(a.world.pending()))
	for range workers {
		running.Go(func() { a.work(ctx) })
	}
	running.Go(func() { a.statuses.run(ctx) })
	a.tend(ctx)
}

// followAll follows every source, and returns when each was read once. The error is the context's.
func (a *approver) followAll(ctx context.Context, running *sync.WaitGroup, sources []source) error {
	var unread sync.WaitGroup
	for _, one := range sources {
		var once sync.Once
		unread.Add(1)
		said := ""
		running.Go(func() {
			one.follow(ctx, func() { once.Do(unread.Done); said = "" }, func(err error) {
				if err.Error() != said {
					said = err.Error()
					a.Log.Warn("cannot follow "+one.name, "error", said)
				}
			})
			once.Do(unread.Done)
		})
	}
	unread.Wait()
	return ctx.Err()
}

// requestChanged has a pending request evaluated.
func (a *approver) requestChanged(one *known) {
	if one.IsPending {
		a.queue.Add(one.Requester, one.uid)
		return
	}
	a.forget(one)
}

func (a *approver) requestGone(one *known) { a.forget(one) }

// forget drops what is remembered of a request that is decided or gone. Other requests for its user
// may be decided otherwise now.
func (a *approver) forget(one *known) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.left, one.uid)
	a.refusals.Forget(one.uid)
	if one.user != "" {
		a.usersChanged[one.user] = true
	}
	a.notes.forget(one.uid)
}

// circumstancesChanged has everything evaluated again soon.
func (a *approver) circumstancesChanged() {
	a.permissions.forget()
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// ledgerChanged logs that the cluster has no ledger, and has everything evaluated again.
func (a *approver) ledgerChanged(is ledgerState) {
	if is == withoutLedger {
		a.Log.Warn("the ledger is not installed: requests for others, and policies that depend on certificates, are left to people", "install", ledger.Guide+"#install")
	}
	a.circumstancesChanged()
}

// tend does what is due from time to time, until the context ends.
func (a *approver) tend(ctx context.Context) {
	users, sweep := time.NewTicker(time.Second), time.NewTicker(sweepPeriod)
	defer users.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.changed:
			select {
			case <-ctx.Done():
				return
			case <-time.After(coalesce):
			}
			for _, one := range a.world.pending() {
				a.queue.Add(one.Requester, one.uid)
			}
		case <-users.C:
			a.metrics.waiting.Set(float64(a.queue.Len()))
			a.requeueUsers()
		case <-sweep.C:
			a.world.forgetExpired(a.Now())
			a.sweep(ctx)
		}
	}
}

// requeueUsers has the requests evaluated again for whose users or requesters something changed.
func (a *approver) requeueUsers() {
	a.mutex.Lock()
	changed, requesters := a.usersChanged, a.requestersChanged
	a.usersChanged, a.requestersChanged = map[string]bool{}, map[string]bool{}
	a.mutex.Unlock()
	var again []types.UID
	for user := range changed {
		again = append(again, a.world.pendingOf(user)...)
	}
	if len(requesters) > 0 {
		for _, one := range a.world.pending() {
			if requesters[one.Requester] {
				again = append(again, one.uid)
			}
		}
	}
	for _, uid := range again {
		// One whose decision is refused has a time of its own.
		if a.refusals.NumRequeues(uid) == 0 {
			a.again(uid)
		}
	}
}

// release takes back that a request counts as approved, and has those evaluated again that it left no
// room for.
func (a *approver) release(one *known) {
	if !a.world.release(one.uid) {
		return
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.usersChanged[one.user], a.requestersChanged[one.Requester] = true, true
}

// again has a request evaluated once more.
func (a *approver) again(uid types.UID) {
	a.mutex.Lock()
	delete(a.left, uid)
	a.mutex.Unlock()
	if one := a.world.get(uid); one != nil && one.IsPending {
		a.queue.Add(one.Requester, uid)
	}
}

// sweep evaluates what is due, and reports what was not reported or is about to be forgotten.
func (a *approver) sweep(ctx context.Context) {
	now := a.Now()
	for _, one := range a.world.pending() {
		a.mutex.Lock()
		left := a.left[one.uid]
		isDue := left != nil && !left.retryAt.IsZero() && !now.Before(left.retryAt)
		a.mutex.Unlock()
		switch {
		case isDue:
			a.again(one.uid)
		case left != nil:
			if err := a.notes.renew(ctx, one); err != nil {
				a.Log.Warn("an outcome cannot be reported", "error", err.Error())
				return
			}
		}
	}
}

// work evaluates and decides, request after request.
func (a *approver) work(ctx context.Context) {
	for ctx.Err() == nil {
		uid, wait, isOne := a.queue.Take()
		if isOne {
			a.process(ctx, uid)
			continue
		}
		if wait <= 0 {
			wait = time.Second
		}
		select {
		case <-ctx.Done():
		case <-a.queue.Ready():
		case <-time.After(wait):
		}
	}
}

// begin reports whether a request is to be evaluated now, by this worker.
func (a *approver) begin(one *known) bool {
	rules := a.world.version()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.busy[one.uid] {
		a.queue.AddLater(one.Requester, one.uid, 100*time.Millisecond)
		return false
	}
	if left := a.left[one.uid]; left != nil && left.rules == rules && left.version == one.object.ResourceVersion {
		return false
	}
	a.busy[one.uid] = true
	return true
}

func (a *approver) end(uid types.UID) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.busy, uid)
}

// process evaluates one request, and decides about it.
func (a *approver) process(ctx context.Context, uid types.UID) {
	one := a.world.get(uid)
	if one == nil || !one.IsPending || !a.begin(one) {
		return
	}
	defer a.end(uid)
	rules := a.world.version()
	begin := a.Now()
	facts, decision := a.evaluate(ctx, one, begin)
	a.metrics.evaluations.Inc()
	a.statuses.failed(one, decision)
	if decision.Outcome != policy.Approved && decision.Outcome != policy.Denied {
		a.leave(ctx, one, decision, rules)
		return
	}
	begin = a.Now()
	if err := a.confirmer.confirm(ctx); err != nil {
		a.retry(ctx, one, err)
		return
	}
	if a.world.version() != rules || a.Now().Sub(begin) > freshness {
		// It was evaluated by other policies than those that are there now.
		a.queue.Add(one.Requester, uid)
		return
	}
	if decision.Outcome == policy.Approved && !a.world.reserve(one, decision.By, facts.Review, a.Now()) {
		// Another one was approved meanwhile.
		a.queue.Add(one.Requester, uid)
		return
	}
	a.decide(ctx, one, facts, decision)
}

// leave remembers that a request is left to people, and reports why.
func (a *approver) leave(ctx context.Context, one *known, decision policy.Decision, rules int64) {
	a.metrics.count(decision.Outcome)
	a.release(one)
	a.mutex.Lock()
	a.left[one.uid] = &leftRequest{rules: rules, version: one.object.ResourceVersion, retryAt: decision.RetryAt}
	a.mutex.Unlock()
	a.Log.Debug("left to people", "request", one.Name, "uid", string(one.uid), "outcome", string(decision.Outcome), "why", decision.Why)
	if err := a.notes.say(ctx, one, request.PolicyOutcome{IsError: decision.Outcome == policy.Failed, Why: decision.Why}); err != nil && ctx.Err() == nil {
		a.Log.Warn("an outcome cannot be reported", "uid", string(one.uid), "error", err.Error())
	}
}

// decide writes a decision into the request that was evaluated, and no other.
func (a *approver) decide(ctx context.Context, one *known, facts *policy.Facts, decision policy.Decision) {
	verb, reason := request.Approval(), request.PolicyApprovedReason
	if decision.Outcome == policy.Denied {
		verb, reason = request.Denial(), request.PolicyDeniedReason
	}
	verb = verb.By(reason, ledger.PolicyAnnotation, decision.By.Name)
	decided, err := a.requests.Decide(ctx, facts.Review, verb, a.message(verb, decision), false)
	switch {
	case errors.Is(err, outcome.ErrChanged):
		// Somebody else was first, or it is another request now: the watch tells.
		a.Log.Debug("not decided", "uid", string(one.uid), "why", err.Error())
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err):
		// It was not decided for certain, and will not be while an admission policy or a permission stays
		// as it is.
		a.release(one)
		a.retryAfter(ctx, one, err, a.refusals.When(one.uid))
	case err != nil:
		a.retry(ctx, one, err)
	default:
		a.metrics.count(decision.Outcome)
		a.metrics.latency.Observe(a.Now().Sub(one.created).Seconds())
		a.Log.Info(verb.Done, "uid", string(one.uid), "policy", decision.By.Name, "generation", decision.By.Generation)
		a.Log.Debug(verb.Done, "request", one.Name, "user", one.user)
		a.requestChanged(a.world.setDecided(decided))
	}
}

// message is what a decision says: why, and by which policy as it was.
func (a *approver) message(verb request.Decision, decision policy.Decision) string {
	by := fmt.Sprintf("%s by %s with csr-onboard-controller %s", verb.Done, decision.By, a.Version)
	if decision.Why == "" {
		return by
	}
	return decision.Why + " (" + by + ")"
}

// retry tries something again that has failed.
func (a *approver) retry(ctx context.Context, one *known, err error) {
	a.retryAfter(ctx, one, err, retryFailed)
}

func (a *approver) retryAfter(ctx context.Context, one *known, err error, after time.Duration) {
	if ctx.Err() != nil {
		return
	}
	a.metrics.count(policy.Failed)
	a.Log.Warn("not decided", "uid", string(one.uid), "error", err.Error())
	a.queue.AddLater(one.Requester, one.uid, after)
	said := request.PolicyOutcome{IsError: true, Why: identity.PrintableSentence(err.Error())}
	if err := a.notes.say(ctx, one, said); err != nil {
		a.Log.Debug("an outcome cannot be reported", slog.String("error", err.Error()))
	}
}
