package approve

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/bindings"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy/condition"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// world is what decisions depend on, as far as it is known here.
type world struct {
	compiler *condition.Compiler

	mutex sync.Mutex
	submitted
	certificates map[string]policy.Certificates
	given        [3]map[string]bindings.Given
	grants       access.Grants
	reaches      access.Reaches
	list         access.List
	policies     map[string]*compiledPolicy
	// ledger is whether the cluster has one: without it, certificates are unknown of which the request is gone.
	ledger ledgerState
	// rules counts the changes of policies, of whether there is a ledger, of the list, and of what role bindings give.
	rules int64
}

// ledgerState is whether there is a ledger; unknown before that was read.
type ledgerState string

const (
	hasLedger     ledgerState = "has"
	withoutLedger ledgerState = "without"
)

// The kinds of what users are given.
const (
	clusterBindings = iota
	namespacedBindings
	roleReaches
)

// compiledPolicy is a policy as the cluster has it, ready to be evaluated or not.
type compiledPolicy struct {
	object   *policy.ApprovalPolicy
	compiled *policy.Compiled
}

func newWorld() (*world, error) {
	compiler, err := condition.NewCompiler()
	if err != nil {
		return nil, err
	}
	return &world{
		compiler: compiler, submitted: newSubmitted(),
		certificates: map[string]policy.Certificates{},
		given:        [3]map[string]bindings.Given{{}, {}, {}}, list: access.ListOf(nil), policies: map[string]*compiledPolicy{},
	}, nil
}

// setRequest takes in a request as it is now, and returns what is known of it. An answer to a decision, a
// list and a watch may overtake each other: what was decided or issued stays so, since neither
// conditions nor a certificate can be removed (Kubernetes pkg/apis/certificates/validation).
func (w *world) setRequest(object *request.Request) *known {
	one := knownOf(object)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.takeIn(one, object)
}

// setDecided takes in a request that was decided here, unless it is gone already.
func (w *world) setDecided(object *request.Request) *known {
	one := knownOf(object)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.requests[one.uid] == nil {
		return one
	}
	return w.takeIn(one, object)
}

func (w *world) takeIn(one *known, object *request.Request) *known {
	if one = w.replace(one, object); one.certificate != nil {
		w.addCertificate(one.certificate)
	}
	return one
}

// reserve reports whether a policy still has room for a request that it is about to approve, and if so,
// counts the request as approved. Both is one step: of requests that are evaluated at the same time,
// none is approved of which the bounds were checked without the others. It counts until it is decided
// otherwise, gone, or released, also where nobody knows whether a decision has reached the API server.
func (w *world) reserve(one *known, by *policy.Policy, review *request.Review, now time.Time) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if current := w.requests[one.uid]; current == nil || !current.IsPending || !by.HasRoom(w.factsOf(review, now, time.Time{})) {
		return false
	}
	w.approvals.Reserve(one.Requester, one.user, one.uid, now)
	return true
}

// release takes back that a request counts which was left to people after all, and reports whether it did.
func (w *world) release(uid types.UID) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	one := w.requests[uid]
	return one != nil && one.IsPending && w.approvals.Drop(one.Requester, one.user, uid)
}

// setRecord takes in a record of the ledger.
func (w *world) setRecord(record *ledger.ClientCertificate) {
	one := &policy.Certificate{
		CredentialID: record.CredentialID(), User: identity.User{Name: record.Spec.User, Groups: record.Spec.Groups},
		Key: record.Spec.Key.Fingerprint, NotBefore: record.Spec.NotBefore.Time, NotAfter: record.Spec.NotAfter.Time,
	}
	if renews := record.Spec.Renews; renews == nil {
		one.ChainStart = one.NotBefore
	} else {
		one.Renews = access.CertificateIDPrefix + renews.Certificate
		if renews.Since != nil {
			one.ChainStart = renews.Since.Time
		}
	}
	if asked := record.Spec.Request; asked != nil && asked.DecidedAt != nil {
		one.ApprovedAt = asked.DecidedAt.Time
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.addCertificate(one)
}

// setRecordedRequest takes in the request of a record.
func (w *world) setRecordedRequest(record *ledger.ClientCertificate, review *request.Review) {
	one := &known{uid: review.Object.UID, created: review.Object.CreationTimestamp.Time, user: review.User.Name}
	one.Name, one.Requester, one.Key, one.state = review.Object.Name, review.Requester, review.Fingerprint, review.State
	w.mutex.Lock()
	defer w.mutex.Unlock()
	one.certificate = w.certificates[one.user][record.CredentialID()]
	w.keep(one, review.Object)
}

func (w *world) addCertificate(one *policy.Certificate) {
	if w.certificates[one.User.Name] == nil {
		w.certificates[one.User.Name] = policy.Certificates{}
	}
	of := w.certificates[one.User.Name]
	if before, isKnown := of[one.CredentialID]; isKnown && !before.ChainStart.IsZero() {
		// A record knows more than a request.
		return
	}
	of[one.CredentialID] = one
}

// keepRequests forgets the requests that are not there any more, and returns what was known of them.
func (w *world) keepRequests(there map[types.UID]bool) (gone []*known) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for uid := range maps.Clone(w.requests) {
		if !there[uid] {
			gone = append(gone, w.drop(uid))
		}
	}
	return gone
}

// deleteRequest forgets a request that does not exist any more, and returns what was known of it.
func (w *world) deleteRequest(uid types.UID) *known {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.drop(uid)
}

// forgetExpired forgets certificates that have expired.
func (w *world) forgetExpired(now time.Time) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for user, of := range w.certificates {
		maps.DeleteFunc(of, func(_ string, one *policy.Certificate) bool { return now.After(one.NotAfter) })
		if len(of) == 0 {
			delete(w.certificates, user)
		}
	}
}

// setGiven takes in what a role binding gives, or how far a role reaches; nil objects are gone.
func (w *world) setGiven(kind int, given bindings.Given, isDeleted bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if isDeleted {
		delete(w.given[kind], given.Key)
	} else {
		w.given[kind][given.Key] = given
	}
	w.grants, w.reaches = nil, nil
	w.rules++
}

func (w *world) replaceGiven(kind int, all []bindings.Given) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	clear(w.given[kind])
	for _, given := range all {
		w.given[kind][given.Key] = given
	}
	w.grants, w.reaches = nil, nil
	w.rules++
}

// version counts the changes of what every decision depends on.
func (w *world) version() int64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.rules
}

// computeGrants joins what the bindings give. Readers keep what they were handed: it is never
// changed, and made again after a change.
func (w *world) computeGrants() {
	if w.grants != nil {
		return
	}
	w.grants, w.reaches = access.Grants{}, access.Reaches{}
	for _, kind := range []int{clusterBindings, namespacedBindings} {
		for _, given := range w.given[kind] {
			for holder, grants := range given.Grants {
				w.grants[holder] = append(w.grants[holder], grants...)
			}
		}
	}
	for name, given := range w.given[roleReaches] {
		w.reaches[name] = given.Reach
	}
}

// setList takes in who is revoked, and reports whether that is another list.
func (w *world) setList(list access.List) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	isOther := w.list.Digest() != list.Digest()
	if w.list = list; isOther {
		w.rules++
	}
	return isOther
}

// setLedger takes in whether the cluster has a ledger, and reports whether that is news.
func (w *world) setLedger(is ledgerState) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	isOther := w.ledger != is
	if w.ledger = is; isOther {
		w.rules++
	}
	return isOther
}

// replacePolicies takes in all policies that there are, compiles those that are new, and returns
// those and whether anything changed.
func (w *world) replacePolicies(all []*policy.ApprovalPolicy) (compiled []*compiledPolicy, isOther bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	there := map[string]*compiledPolicy{}
	for _, object := range all {
		before := w.policies[object.Name]
		// Not by the generation alone: for a while after a later version of the definition was applied, a
		// watch that was open before delivers policies without the fields that are new in it.
		if before != nil && before.object.UID == object.UID && before.object.Generation == object.Generation && reflect.DeepEqual(before.object.Spec, object.Spec) {
			there[object.Name] = &compiledPolicy{object: object, compiled: before.compiled}
			continue
		}
		there[object.Name] = &compiledPolicy{object: object, compiled: w.compile(object)}
		compiled = append(compiled, there[object.Name])
	}
	isOther = len(compiled) > 0 || len(there) != len(w.policies)
	if w.policies = there; isOther {
		w.rules++
	}
	return compiled, isOther
}

// compile makes a policy ready to be evaluated. One that cannot be read keeps its name and action.
func (w *world) compile(object *policy.ApprovalPolicy) *policy.Compiled {
	read, mistakes := policy.Of(object)
	if read == nil {
		return &policy.Compiled{
			Policy:   &policy.Policy{Name: object.Name, Generation: object.Generation, Action: object.Spec.Action, Conditions: object.Spec.Conditions},
			Mistakes: mistakes,
		}
	}
	return w.compiler.Compile(read)
}

// compiled are all policies, in the order of their names.
func (w *world) compiled() []*policy.Compiled {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	all := make([]*policy.Compiled, 0, len(w.policies))
	for _, name := range slices.Sorted(maps.Keys(w.policies)) {
		all = append(all, w.policies[name].compiled)
	}
	return all
}

// pending are the requests that nobody has decided about, the oldest first.
func (w *world) pending() []*known {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var all []*known
	for _, one := range w.requests {
		if one.IsPending {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b *known) int { return a.created.Compare(b.created) })
	return all
}

// get is a request; nil if there is none.
func (w *world) get(uid types.UID) *known {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.requests[uid]
}

// pendingOf are the UIDs of the pending requests for a user.
func (w *world) pendingOf(user string) []types.UID {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	var all []types.UID
	for uid, one := range w.byUser[user] {
		if one.IsPending {
			all = append(all, uid)
		}
	}
	return all
}

// facts are those of a request at a time. Everything counts that is known, unless until is set: then
// nothing that came later. All times but now are of the API server, whose clock may be ahead of the one here.
func (w *world) facts(review *request.Review, now, until time.Time) *policy.Facts {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.factsOf(review, now, until)
}

func (w *world) factsOf(review *request.Review, now, until time.Time) *policy.Facts {
	isLater := func(at time.Time) bool { return !until.IsZero() && at.After(until) }
	w.computeGrants()
	facts := &policy.Facts{
		Review: review, Now: now, Grants: w.grants, Reaches: w.reaches, List: w.list,
		Certificates: policy.Certificates{}, WithoutLedger: w.ledger != hasLedger, Others: w.others(review, isLater),
	}
	own := w.requests[review.Object.UID]
	for id, one := range w.certificates[review.User.Name] {
		isOwn := own != nil && own.certificate != nil && own.certificate.CredentialID == id
		if !isOwn && !isLater(one.NotBefore) {
			facts.Certificates[id] = one
		}
	}
	w.approvals.CountIn(facts, until)
	return facts
}
