package approve

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/fairqueue"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// server is what an approver asks: it keeps what was decided and reported, and answers as its fields
// say.
type server struct {
	mutex sync.Mutex
	// decided and messages are what was decided, reported and written what was reported and written
	// into policies, by the names of the objects.
	decided  map[string]request.Decision
	messages map[string]string
	reported map[string][]request.PolicyOutcome
	earlier  map[types.UID]request.PolicyOutcome
	written  map[string]*policy.ApprovalPolicy
	// decideErr, confirmErr, reportErr, loadErr and statusErr are the errors of the next decisions, readings of
	// policies, reports, readings of earlier reports, and statuses of policies.
	decideErr, confirmErr, reportErr, loadErr, statusErr error
	// wanted are the permissions that were asked for: who, and a path or a resource.
	wanted []string
	// decisions, confirmed and asked count calls.
	decisions, confirmed, asked int
	// policies and list are as they are at the moment. confirming is called before they are read.
	policies   []*policy.ApprovalPolicy
	list       access.List
	confirming func()
	// loading is called before what was reported earlier is read.
	loading func()
	// deciding is called before something is decided.
	deciding func(review *request.Review)
	// ahead is how far its clock is ahead of the approver's.
	ahead time.Duration
}

func (s *server) Decide(_ context.Context, review *request.Review, decision request.Decision, message string, _ bool) (*request.Request, error) {
	if s.deciding != nil {
		s.deciding(review)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.decisions++; s.decideErr != nil {
		return nil, s.decideErr
	}
	s.decided[review.Object.Name], s.messages[review.Object.Name] = decision, message
	decided := decision.Apply(review.Object, message)
	for i := range decided.Status.Conditions {
		decided.Status.Conditions[i].LastUpdateTime = metav1.NewTime(time.Now().Add(s.ahead))
	}
	return request.Of(decided), nil
}

func (s *server) Policies(context.Context) ([]*policy.ApprovalPolicy, error) {
	s.mutex.Lock()
	confirming := s.confirming
	s.mutex.Unlock()
	if confirming != nil {
		confirming()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.confirmed++
	return slices.Clone(s.policies), s.confirmErr
}

func (s *server) Revoked(context.Context) (access.List, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.list, nil
}

func (s *server) RequesterMay(_ context.Context, who certificatesv1.CertificateSigningRequestSpec, resource *authorizationv1.ResourceAttributes, path *authorizationv1.NonResourceAttributes) (bool, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asked++
	text := fmt.Sprintf("%s %v %s ", who.Username, who.Groups, who.UID)
	if resource != nil {
		text += strings.Join([]string{resource.Verb, resource.Group, resource.Resource, resource.Subresource, resource.Namespace, resource.Name}, "|")
	}
	if path != nil {
		text += path.Verb + " " + path.Path
	}
	s.wanted = append(s.wanted, text)
	return true, nil
}

func (s *server) Write(_ context.Context, about *request.Request, said request.PolicyOutcome) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.reportErr != nil {
		return s.reportErr
	}
	s.reported[about.Name] = append(s.reported[about.Name], said)
	return nil
}

func (s *server) Read(context.Context) (map[types.UID]request.PolicyOutcome, error) {
	if s.loading != nil {
		s.loading()
	}
	return s.earlier, s.loadErr
}

func (s *server) UpdateStatus(_ context.Context, changed *policy.ApprovalPolicy) (*policy.ApprovalPolicy, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.statusErr != nil {
		return nil, s.statusErr
	}
	s.written[changed.Name] = changed
	return changed, nil
}

// set changes what the server answers.
func (s *server) set(change func()) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	change()
}

// test is an approver with what it asks and what its sources tell it.
type test struct {
	*approver
	*server

	tell listener
	log  *logged
	// sources are the sources that it follows; by default one that has what exists already.
	sources []source
	ready   bool
}

// logged is what was logged.
type logged struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *logged) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(text)
}

// count is how many lines of what was logged have all parts.
func (l *logged) count(parts ...string) (count int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			count++
		}
	}
	return count
}

// inTest runs a test with an approver that has not started, and a clock that is the test's.
func inTest(t *testing.T, do func(t *testing.T, a *test)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &test{log: new(logged), server: &server{
			decided: map[string]request.Decision{}, messages: map[string]string{}, reported: map[string][]request.PolicyOutcome{},
			written: map[string]*policy.ApprovalPolicy{}, list: access.ListOf(nil),
		}}
		tools := controller.Tools{
			Log: slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: prometheus.NewRegistry(), Version: "v1.2.3", Now: time.Now,
			Working: func() { a.ready = true },
		}
		made, tell, err := newApprover(tools, "approver", doors{requests: a.server, rules: a.server, authority: a.server, reports: a.server, statuses: a.server})
		if err != nil {
			t.Fatal(err)
		}
		a.approver, a.tell = made, tell
		a.world.setLedger(hasLedger)
		a.sources = []source{{
			name: "nothing", list: func(context.Context) (string, error) { return "1", nil },
			watch: func(ctx context.Context, _ string) error { <-ctx.Done(); return nil },
		}}
		do(t, a)
	})
}

// start starts the approver, and waits until it has done what it can do at once.
func (a *test) start(t *testing.T) {
	t.Helper()
	go a.run(t.Context(), a.sources)
	synctest.Wait()
}

// elapse lets time go by. The lock orders what the test has read of the server before what the approver
// writes in the meantime, which the race detector requires.
func (a *test) elapse(span time.Duration) {
	a.set(func() {})
	<-time.After(span)
	synctest.Wait()
}

// apply has policies on the server, of which the watch tells at once.
func (a *test) apply(policies ...*policy.ApprovalPolicy) {
	a.set(func() { a.policies = policies })
	if compiled, isOther := a.world.replacePolicies(policies); isOther {
		a.tell.policies(compiled)
		a.tell.circumstances()
	}
}

// submit has a request on the server, of which the watch tells at once.
func (a *test) submit(object *request.Request) *known {
	one := a.world.setRequest(object)
	a.tell.request(one)
	return one
}

// counted is the value of a counter, summed over its labels, or of those with one value.
func (a *test) counted(name, label string) (sum int) {
	registry, _ := a.Metrics.(*prometheus.Registry)
	families, _ := registry.Gather()
	for _, family := range families {
		for _, metric := range family.Metric {
			if family.GetName() == name && (label == "" || metric.Label[0].GetValue() == label) {
				sum += int(metric.Counter.GetValue())
			}
		}
	}
	return sum
}

func (a *test) evaluations() int { return a.counted("csr_onboard_approver_evaluations_total", "") }

func (a *test) outcomes(of policy.Outcome) int {
	return a.counted("csr_onboard_approver_outcomes_total", string(of))
}

// policyOf is a policy with one condition.
func policyOf(name string, action policy.Action, expression string) *policy.ApprovalPolicy {
	object := &policy.ApprovalPolicy{Spec: policy.Spec{Action: action, Conditions: []policy.Condition{{Name: "condition", Expression: expression, Message: "because"}}}}
	object.Name, object.UID, object.Generation, object.ResourceVersion = name, types.UID(name), 1, "1"
	return object
}

func newKey() crypto.Signer {
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		panic(err)
	}
	return key
}

// commonKey is the key of all requests but for those that have one of their own.
var commonKey = sync.OnceValue(newKey)

// requestOf is a request of a user for themselves.
func requestOf(t *testing.T, user string) *request.Request {
	t.Helper()
	return requestWith(t, commonKey(), user)
}

func requestWith(t *testing.T, key crypto.Signer, user string) *request.Request {
	t.Helper()
	made, err := pki.NewRequest(key, identity.User{Name: user})
	if err != nil {
		t.Fatal(err)
	}
	object := request.Build(made, request.Terms{Lifetime: time.Hour, Name: "csr-" + user}).CertificateSigningRequest
	object.UID, object.ResourceVersion, object.CreationTimestamp = types.UID("uid-"+user), "7", metav1.Now()
	object.Spec.Username, object.Spec.Groups = user, []string{"system:authenticated"}
	return request.Of(object)
}

func TestApprover_ADecisionSaysByWhichPolicyAndWhy(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("all", policy.Approve, "true"), policyOf("not-bob", policy.Deny, "subject.name == 'bob'"))
		for _, user := range []string{"jane", "bob"} {
			a.submit(requestOf(t, user))
		}
		a.start(t)
		for name, want := range map[string][]string{
			"csr-jane": {request.PolicyApprovedReason, `approved by policy "all" (generation 1, sha256:`, "with csr-onboard-controller v1.2.3"},
			"csr-bob":  {request.PolicyDeniedReason, `because (denied by policy "not-bob" (generation 1, sha256:`},
		} {
			decided := a.decided[name].Apply(requestOf(t, "any"), a.messages[name])
			condition := decided.Status.Conditions[0]
			if condition.Reason != want[0] || !strings.HasPrefix(condition.Message, want[1]) || len(want) > 2 && !strings.HasSuffix(condition.Message, want[2]) ||
				decided.Annotations["csr-onboard.github.io/policy"] == "" {
				t.Errorf("%s: %+v, %v", name, condition, decided.Annotations)
			}
		}
		if a.outcomes(policy.Approved) != 1 || a.outcomes(policy.Denied) != 1 || a.decisions != 2 {
			t.Errorf("%d approved, %d denied, %d decisions", a.outcomes(policy.Approved), a.outcomes(policy.Denied), a.decisions)
		}
		if len(a.world.pending()) != 0 {
			t.Error("what was decided is pending")
		}
	})
}

// TestApprover_NothingIsDecidedBeforeEverythingWasRead has a request and a policy that approves, and
// one source after the other is read.
func TestApprover_NothingIsDecidedBeforeEverythingWasRead(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		names := []string{"policies", "revocations", "bindings", "requests"}
		release := map[string]chan struct{}{}
		a.sources = nil
		for _, name := range names {
			release[name] = make(chan struct{})
			failed := false
			a.sources = append(a.sources, source{name: name,
				list: func(ctx context.Context) (string, error) {
					if !failed {
						failed = true
						return "", errors.New("connection refused")
					}
					select {
					case <-release[name]:
					case <-ctx.Done():
					}
					return "1", nil
				},
				watch: func(ctx context.Context, _ string) error { <-ctx.Done(); return nil },
			})
		}
		a.apply(policyOf("all", policy.Approve, "true"))
		a.submit(requestOf(t, "jane"))
		a.start(t)
		for _, name := range names {
			a.elapse(time.Minute)
			if a.evaluations() != 0 || a.decisions != 0 || a.ready {
				t.Errorf("decided before %s were read", name)
			}
			close(release[name])
		}
		a.elapse(time.Second)
		if len(a.decided) != 1 || !a.ready {
			t.Errorf("%d were decided", len(a.decided))
		}
	})
}

func TestApprover_NothingIsReportedBeforeItIsKnownWhatWas(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		load := make(chan struct{})
		a.loading = func() { <-load }
		a.apply(policyOf("none", policy.Approve, "false"))
		a.submit(requestOf(t, "jane"))
		a.start(t)
		a.elapse(time.Minute)
		if len(a.reported) != 0 || a.ready {
			t.Errorf("%+v", a.reported)
		}
		close(load)
		a.elapse(time.Second)
		if len(a.reported) != 1 || !a.ready {
			t.Errorf("%+v", a.reported)
		}
	})
}

// TestApprover_WhatIsLeftToPeopleCostsOneEvaluation: requests are told of again by each list.
func TestApprover_WhatIsLeftToPeopleCostsOneEvaluation(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("none", policy.Approve, "false"))
		junk := requestOf(t, "junk")
		a.start(t)
		expect := func(want int, after string) {
			t.Helper()
			a.elapse(time.Minute)
			if got := a.evaluations(); got != want || len(a.decided) != 0 {
				t.Errorf("%d evaluations after %s", got, after)
			}
		}
		a.submit(junk)
		expect(1, "it was submitted")
		for range 5 {
			a.submit(junk)
			a.elapse(time.Second)
		}
		expect(1, "it was listed again")
		if said := a.reported["csr-junk"]; len(said) != 1 || said[0].IsError || !strings.Contains(said[0].Why, `policy "none": condition condition: because`) {
			t.Errorf("%+v", said)
		}
		changed := requestOf(t, "junk")
		changed.ResourceVersion = "8"
		a.submit(changed)
		expect(2, "it was changed")
		a.apply(policyOf("none", policy.Approve, "false"), policyOf("nor-this", policy.Approve, "false"))
		expect(3, "policies were changed")
		a.set(func() { a.list = listOf(t, access.Entry{Blocked: access.Blocked{User: "other"}}) })
		if a.world.setList(a.list) {
			a.tell.circumstances()
		}
		expect(4, "somebody was revoked")
		other := requestOf(t, "junk")
		other.UID, other.Name = "uid-2", "csr-2"
		other.Spec.Username = "other"
		a.submit(other)
		expect(5, "another one for the user was submitted")
		a.tell.gone(a.world.deleteRequest("uid-2"))
		expect(6, "it is gone")
	})
}

// listOf is a list of who is revoked.
func listOf(t *testing.T, entries ...access.Entry) access.List {
	t.Helper()
	changed, err := access.ListOf(nil).Add(time.Now(), entries...)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for key, value := range changed {
		data[key] = *value
	}
	return access.ListOf(data)
}

func TestApprover_AConditionAboutTheTimeIsEvaluatedAgain(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		opens := time.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339)
		a.apply(policyOf("later", policy.Approve, "now >= timestamp('"+opens+"')"))
		a.submit(requestOf(t, "jane"))
		a.start(t)
		a.elapse(9 * time.Minute)
		if len(a.decided) != 0 {
			t.Error("it was approved early")
		}
		a.elapse(3 * time.Minute)
		if len(a.decided) != 1 {
			t.Error("it was not approved")
		}
	})
}

func TestApprover_AnOversizedRequestIsDroppedBeforeItIsKept(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("all", policy.Approve, "true"))
		large := requestOf(t, "jane")
		large.Spec.Request = append(large.Spec.Request, make([]byte, largestRequest)...)
		one := a.submit(large)
		if !one.isOversized || len(one.object.Spec.Request) != 0 || one.user != "" || len(large.Spec.Request) == 0 {
			t.Errorf("%d bytes are kept, of %q", len(one.object.Spec.Request), one.user)
		}
		a.start(t)
		if said := a.reported["csr-jane"]; len(a.decided) != 0 || len(said) != 1 || !strings.HasPrefix(said[0].Why, request.Oversized+": ") {
			t.Errorf("%+v, %+v", a.decided, said)
		}
	})
}

func TestApprover_NothingIsKeptOfRequestsThatAreDecidedOrForeign(t *testing.T) {
	foreign := requestOf(t, "jane")
	foreign.Spec.SignerName = "example.com/other"
	decided := requestOf(t, "jane")
	decided = request.Of(request.Denial().Apply(decided, "no"))
	pending := requestOf(t, "jane")
	pending.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "test"}}
	if one := knownOf(pending); !one.IsPending || one.object.ManagedFields != nil || pending.ManagedFields == nil {
		t.Errorf("of a pending one: %+v", one.object.ManagedFields)
	}
	for about, object := range map[string]*request.Request{"foreign": foreign, "decided": decided} {
		if one := knownOf(object); one.IsPending || one.object != nil {
			t.Errorf("%s: %+v", about, one)
		}
	}
}

// TestApprover_APolicyThatAppearsWhileARequestIsEvaluatedCounts: the watch has not told of it, and
// what is read before a decision has it.
func TestApprover_APolicyThatAppearsWhileARequestIsEvaluatedCounts(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("all", policy.Approve, "true"))
		a.set(func() {
			a.policies = append(a.policies, policyOf("not-jane", policy.Deny, "subject.name == 'jane'"))
		})
		a.submit(requestOf(t, "jane"))
		a.start(t)
		a.elapse(time.Second)
		if got := a.messages["csr-jane"]; !strings.Contains(got, `denied by policy "not-jane"`) || a.decisions != 1 {
			t.Errorf("%q, %d decisions", got, a.decisions)
		}
	})
}

func TestApprover_WhoWasRevokedAMomentAgoIsNotApproved(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("all", policy.Approve, "true"))
		a.set(func() { a.list = listOf(t, access.Entry{Blocked: access.Blocked{User: "jane"}}) })
		a.submit(requestOf(t, "jane"))
		a.start(t)
		a.elapse(time.Second)
		if said := a.reported["csr-jane"]; a.decisions != 0 || len(said) != 1 || !strings.Contains(said[0].Why, "revoked") {
			t.Errorf("%d decisions, %+v", a.decisions, said)
		}
	})
}

// TestApprover_AfterAPauseItReadsAgain stops the approver between its last look and its decision.
func TestApprover_AfterAPauseItReadsAgain(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("all", policy.Approve, "true"))
		paused := false
		a.confirming = func() {
			if !paused {
				paused = true
				<-time.After(2 * freshness)
			}
		}
		a.submit(requestOf(t, "jane"))
		a.start(t)
		a.elapse(time.Minute)
		if a.confirmed != 2 || a.decisions != 1 || a.evaluations() != 2 {
			t.Errorf("read %d times, %d decisions, %d evaluations", a.confirmed, a.decisions, a.evaluations())
		}
	})
}

func TestApprover_WithoutALookAtThePoliciesNothingIsDecided(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("all", policy.Approve, "true"))
		a.confirmErr = errors.New("connection refused")
		a.submit(requestOf(t, "jane"))
		a.start(t)
		a.elapse(retryFailed / 2)
		if said := a.reported["csr-jane"]; a.decisions != 0 || len(said) != 1 || !said[0].IsError || said[0].Why != "connection refused" {
			t.Errorf("%d decisions, %+v", a.decisions, said)
		}
		a.set(func() { a.confirmErr = nil })
		a.elapse(retryFailed)
		if len(a.decided) != 1 {
			t.Error("it was not tried again")
		}
	})
}

func TestApprover_ADecisionThatFailsIsTriedAgainUnlessItIsAnotherObject(t *testing.T) {
	for _, one := range []struct {
		about string
		err   error
		tries int
		says  string
	}{
		{"the server fails", errors.New("timed out"), 3, "timed out"},
		{"it is another object, or decided", outcome.Errorf(outcome.ErrChanged, "decided by somebody else"), 1, ""},
	} {
		t.Run(one.about, func(t *testing.T) {
			inTest(t, func(t *testing.T, a *test) {
				a.apply(policyOf("all", policy.Approve, "true"))
				a.decideErr = one.err
				a.start(t)
				a.elapse(time.Second)
				a.submit(requestOf(t, "jane"))
				a.elapse(2*retryFailed + retryFailed/2)
				said := ""
				for _, each := range a.reported["csr-jane"] {
					said += each.Why
				}
				if a.decisions != one.tries || said != one.says {
					t.Errorf("tried %d times, reported %q", a.decisions, said)
				}
			})
		})
	}
}

func TestApprover_ABrokenDenyPolicyStopsApprovalsAndSaysSo(t *testing.T) {
	for _, expression := range []string{"subject.team == 'x'", "1 / size(findings.filter(f, f == 'none')) == 1"} {
		inTest(t, func(t *testing.T, a *test) {
			a.apply(policyOf("all", policy.Approve, "true"), policyOf("broken", policy.Deny, expression))
			a.submit(requestOf(t, "jane"))
			a.start(t)
			a.elapse(time.Second)
			said := a.reported["csr-jane"]
			if a.decisions != 0 || len(said) != 1 || !said[0].IsError || !strings.Contains(said[0].Why, `the Deny policy "broken"`) || a.outcomes(policy.Failed) == 0 {
				t.Errorf("%q: %d decisions, %+v", expression, a.decisions, said)
			}
			if status := a.written["broken"]; status == nil || !slices.ContainsFunc(status.Status.Conditions, func(c metav1.Condition) bool { return c.Status == metav1.ConditionFalse }) {
				t.Errorf("%q: %+v", expression, status)
			}
			a.apply(policyOf("all", policy.Approve, "true"))
			a.elapse(time.Second)
			if len(a.decided) != 1 {
				t.Errorf("%q: nothing is approved after it was deleted", expression)
			}
		})
	}
}

// TestApprover_JunkOfOneRequesterDoesNotHoldUpAnother has more junk than a requester may have
// evaluated.
func TestApprover_JunkOfOneRequesterDoesNotHoldUpAnother(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("jane", policy.Approve, "subject.name == 'jane'"))
		for i := range 3 * fairqueue.Burst {
			junk := requestOf(t, "mallory")
			junk.Name, junk.UID = fmt.Sprintf("junk-%d", i), types.UID(fmt.Sprintf("junk-%d", i))
			a.submit(junk)
		}
		a.start(t)
		begin := time.Now()
		a.submit(requestOf(t, "jane"))
		synctest.Wait()
		if len(a.decided) != 1 || time.Since(begin) > 0 {
			t.Errorf("%d decided after %s", len(a.decided), time.Since(begin))
		}
		a.elapse(time.Minute)
		if got := a.evaluations(); got != 3*fairqueue.Burst+1 {
			t.Errorf("%d evaluations", got)
		}
		if len(a.reported) > noteBurst+int(noteRate*60)+1 {
			t.Errorf("%d outcomes of junk were reported", len(a.reported))
		}
	})
}

func TestApprover_ConditionsAskTheServerOnceInAWhile(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		ask := func() {
			t.Helper()
			facts := a.facts(t.Context(), request.ReviewOf(requestOf(t, "jane")), time.Now(), time.Time{})
			if may, err := facts.MayUse("all"); err != nil || !may {
				t.Errorf("%v, %v", may, err)
			}
		}
		expect := func(want int, about string) {
			t.Helper()
			if ask(); a.asked != want {
				t.Errorf("asked %d times %s", a.asked, about)
			}
		}
		expect(1, "at first")
		expect(1, "again")
		a.elapse(permissionTime)
		expect(2, "when the answer is old")
		a.tell.circumstances()
		expect(3, "after role bindings changed")
	})
}

// TestApprover_AnOutcomeThatCannotBeReportedIsLoggedAndReportedLater has no report succeed for a while.
func TestApprover_AnOutcomeThatCannotBeReportedIsLoggedAndReportedLater(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.reportErr = errors.New("connection refused")
		a.apply(policyOf("none", policy.Approve, "false"))
		for _, user := range []string{"jane", "kim"} {
			a.submit(requestOf(t, user))
		}
		a.start(t)
		a.elapse(time.Second)
		if a.log.count("level=WARN", "an outcome cannot be reported", "uid=uid-jane", "connection refused") != 1 || len(a.reported) != 0 {
			t.Errorf("%+v: %s", a.reported, a.log.text.String())
		}
		a.elapse(sweepPeriod)
		// A sweep does not try the others where one cannot be reported.
		if got := a.log.count("level=WARN", "an outcome cannot be reported", "connection refused"); got != 3 {
			t.Errorf("%d are logged: %s", got, a.log.text.String())
		}
		a.set(func() { a.reportErr = nil })
		a.elapse(sweepPeriod)
		if len(a.reported["csr-jane"]) != 1 || len(a.reported["csr-kim"]) != 1 || a.evaluations() != 2 {
			t.Errorf("%+v, %d evaluations", a.reported, a.evaluations())
		}
	})
}

func TestApprover_AFailureThatCannotBeReportedEitherIsTriedAgain(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.apply(policyOf("all", policy.Approve, "true"))
		a.confirmErr, a.reportErr = errors.New("timed out"), errors.New("connection refused")
		a.start(t)
		a.elapse(time.Second)
		a.submit(requestOf(t, "jane"))
		a.elapse(retryFailed / 2)
		if a.log.count("level=WARN", "not decided", "timed out") != 1 || a.log.count("level=DEBUG", "an outcome cannot be reported", "connection refused") != 1 {
			t.Error(a.log.text.String())
		}
		a.set(func() { a.confirmErr = nil })
		if a.elapse(retryFailed); len(a.decided) != 1 {
			t.Error("it was not tried again")
		}
	})
}

func TestApprover_WithoutEarlierOutcomesItWorks(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		a.loadErr = errors.New("events is forbidden")
		a.earlier = map[types.UID]request.PolicyOutcome{"uid-jane": {Why: "as before"}}
		a.apply(policyOf("all", policy.Approve, "true"))
		a.submit(requestOf(t, "jane"))
		a.start(t)
		if a.log.count("level=WARN", "earlier outcomes cannot be read", "events is forbidden") != 1 || len(a.decided) != 1 || !a.ready || len(a.notes.said) != 0 {
			t.Errorf("%d decided, ready: %t: %s", len(a.decided), a.ready, a.log.text.String())
		}
	})
}

// TestApprover_AConditionAsksAboutWhoItNames: a permission of the requester is not one of somebody else, and a path is
// not a resource.
func TestApprover_AConditionAsksAboutWhoItNames(t *testing.T) {
	for expression, want := range map[string]string{
		"authorizer.path('/healthz').check('get').allowed()":                                                "jane [system:authenticated]  get /healthz",
		"authorizer.group('apps').resource('deployments').namespace('a').name('b').check('get').allowed()":  "jane [system:authenticated]  get|apps|deployments||a|b",
		"authorizer.group('').resource('pods').subresource('log').check('list').allowed()":                  "jane [system:authenticated]  list||pods|log||",
		"authorizer.serviceAccount('ns', 'bot').group('').resource('pods').check('get').allowed()":          "system:serviceaccount:ns:bot [system:serviceaccounts system:serviceaccounts:ns]  get||pods|||",
		"authorizer.serviceAccount('ns', 'bot').path('/metrics').check('get').allowed() && subject != null": "system:serviceaccount:ns:bot [system:serviceaccounts system:serviceaccounts:ns]  get /metrics",
	} {
		inTest(t, func(t *testing.T, a *test) {
			a.apply(policyOf("asks", policy.Approve, expression))
			a.submit(requestOf(t, "jane"))
			a.start(t)
			if !slices.Contains(a.wanted, want) || len(a.decided) != 1 {
				t.Errorf("%s: asked for %q, %+v", expression, a.wanted, a.reported)
			}
		})
	}
}

func TestApprover_AnswersAreForgottenBeforeTheyAreTooMany(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		spec := requestOf(t, "jane").Spec
		for i := range 10_000 {
			a.permissions.answers[fmt.Sprint(i)] = answer{}
		}
		for _, path := range []string{"/a", "/b", "/b"} {
			if _, err := a.permissions.ask(t.Context(), spec, nil, &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"}); err != nil {
				t.Error(err)
			}
		}
		if len(a.permissions.answers) != 1 || a.asked != 2 {
			t.Errorf("%d answers are kept, asked %d times", len(a.permissions.answers), a.asked)
		}
	})
}

func TestApprover_WithoutTheAPIServerNobodyLeads(t *testing.T) {
	server := clustertest.New(t)
	server.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		clustertest.Fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		return true
	}
	working := false
	err := Lead(t.Context(), controller.Tools{Cluster: server.Admin(t), Working: func() { working = true }})
	if err == nil || !strings.Contains(err.Error(), "forbidden") || working {
		t.Errorf("%v, working: %t", err, working)
	}
}
