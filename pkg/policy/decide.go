package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Outcome is what comes of a request.
type Outcome string

// The outcomes.
const (
	// Approved and Denied are decisions by a policy.
	Approved Outcome = "Approved"
	Denied   Outcome = "Denied"
	// Left is left to people: no policy decides, or a floor does not hold.
	Left Outcome = "LeftToPeople"
	// Failed is left to people as well, because something could not be evaluated.
	Failed Outcome = "Error"
)

// Sentence is the outcome in words.
func (o Outcome) Sentence() string {
	switch o {
	case Approved:
		return "approved by policy"
	case Denied:
		return "denied by policy"
	case Left:
		return "left to people"
	}
	return "error, left to people"
}

// Evaluated is what came of one condition.
type Evaluated struct {
	// Value is whether it is true, where Err is nil.
	Value bool
	// Err says why it could not be evaluated, with the position in its expression.
	Err error
}

// Program evaluates the conditions of one policy.
type Program interface {
	// Evaluate evaluates each condition of the policy, in their order.
	Evaluate(facts *Facts) []Evaluated
	// DependsOnTime reports whether a condition may have another value later of the same facts.
	DependsOnTime() bool
}

// Compiled is a policy that is ready to be evaluated, or that cannot be.
type Compiled struct {
	// Policy is what the policy says; of one that cannot be read, only Name, Generation and Action
	// have to be given.
	*Policy
	// Program evaluates its conditions; nil where Mistakes says why they cannot be.
	Program Program
	// Mistakes are why the policy cannot be evaluated.
	Mistakes []Mistake
}

// withoutLedger is why something is left to people that depends on the certificates of a user.
const withoutLedger = "the ledger is not installed"

// certificatesWord is the name of the variable certificates.
var certificatesWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bcertificates\b`) })

// readsCertificates reports whether a condition of the policy may read the variable certificates. The name of
// the API group says nothing of that.
func (p *Policy) readsCertificates() bool {
	return slices.ContainsFunc(p.Conditions, func(condition Condition) bool {
		return certificatesWord().MatchString(strings.ReplaceAll(condition.Expression, certificatesv1.GroupName, ""))
	})
}

// isBroken reports whether the policy cannot be evaluated.
func (c *Compiled) isBroken() bool { return c.Program == nil }

func (c *Compiled) whyBroken() string {
	if len(c.Mistakes) == 0 {
		return "it was not compiled"
	}
	return c.Mistakes[0].String()
}

// mayDeny reports whether the policy denies, or may: one whose action cannot be read counts.
func (c *Compiled) mayDeny() bool { return c.Action != Approve }

// Explained is what one policy says of a request.
type Explained struct {
	Policy *Compiled
	// Checks are its bounds and conditions, those that were checked.
	Checks []Check
	// Applies says that the policy approves or denies the request, as far as it is concerned.
	Applies bool
	// Err says that something could not be evaluated on which that depends.
	Err error
}

// Decision is what the policies decide about a request.
type Decision struct {
	Outcome Outcome
	// By is the policy that approved or denied it; nil if none did.
	By *Policy
	// Why says why. It is safe to print.
	Why string
	// Floors and Policies say how it came to that: all policies that were asked.
	Floors   []Check
	Policies []Explained
	// RetryAt is when the outcome may be another one without a change of anything else; zero if
	// it never is.
	RetryAt time.Time
}

// retryAfter is after how long a condition that depends on the time is evaluated again.
const retryAfter = time.Minute

// Decide decides about a pending request: floors, then every Deny policy, then any Approve policy,
// else it is left to people. policies are all of the cluster's.
func Decide(facts *Facts, policies []*Compiled) Decision {
	d := Decision{Outcome: Left, Floors: Floors(facts)}
	if failing := firstFailing(d.Floors); failing != nil {
		d.Why = fmt.Sprintf("%s: %s", failing.Name, failing.Says)
		if failing.Err != nil {
			d.Outcome, d.RetryAt = Failed, facts.Now.Add(retryAfter)
		}
		return d
	}
	ordered := slices.Clone(policies)
	slices.SortFunc(ordered, func(a, b *Compiled) int { return strings.Compare(a.Name, b.Name) })
	if d.askDenying(facts, ordered) {
		return d
	}
	d.askApproving(facts, ordered)
	return d
}

// askDenying asks every Deny policy, and reports whether one of them decides.
func (d *Decision) askDenying(facts *Facts, policies []*Compiled) bool {
	var denies, broken, failed *Explained
	for _, policy := range policies {
		if !policy.mayDeny() {
			continue
		}
		explained := Explain(facts, policy)
		d.Policies = append(d.Policies, explained)
		switch {
		case policy.isBroken() && broken == nil:
			broken = &explained
		case explained.Err != nil && failed == nil:
			failed = &explained
		case explained.Applies && denies == nil:
			denies = &explained
		}
		d.retryFor(facts, policy)
	}
	switch {
	case broken != nil:
		d.Outcome, d.Why = Failed, fmt.Sprintf("the Deny policy %q is broken, and nothing is approved until it is fixed or deleted: %s", identity.Printable(broken.Policy.Name), broken.Policy.whyBroken())
	case failed != nil:
		d.Outcome, d.Why = Failed, fmt.Sprintf("the Deny policy %q could not be evaluated: %s", identity.Printable(failed.Policy.Name), identity.PrintableSentence(failed.Err.Error()))
	case denies != nil:
		d.Outcome, d.By, d.RetryAt = Denied, denies.Policy.Policy, time.Time{}
		d.Why = messageOf(denies, "")
	default:
		return false
	}
	return true
}

// messageOf is the first message of a policy's conditions, or another text.
func messageOf(explained *Explained, otherwise string) string {
	for _, condition := range explained.Policy.Conditions {
		if condition.Message != "" {
			return identity.Printable(condition.Message)
		}
	}
	return otherwise
}

// askApproving asks the Approve policies, until one of them approves.
func (d *Decision) askApproving(facts *Facts, policies []*Compiled) {
	var why []string
	var failed bool
	for _, policy := range policies {
		if policy.mayDeny() {
			continue
		}
		explained := Explain(facts, policy)
		d.Policies = append(d.Policies, explained)
		if explained.Applies {
			d.Outcome, d.By, d.Why, d.RetryAt = Approved, policy.Policy, "", time.Time{}
			return
		}
		d.retryFor(facts, policy)
		failed = failed || explained.Err != nil
		why = append(why, fmt.Sprintf("policy %q: %s", identity.Printable(policy.Name), explained.why()))
	}
	d.Outcome = Left
	if failed {
		d.Outcome = Failed
	}
	const most = 5
	switch {
	case len(why) == 0:
		d.Why = "no policy approves requests"
	case len(why) > most:
		d.Why = strings.Join(why[:most], "; ") + "; and " + english.Plural(len(why)-most, "more policy", "")
	default:
		d.Why = strings.Join(why, "; ")
	}
}

// retryFor has a request looked at again where a policy may say something else later.
func (d *Decision) retryFor(facts *Facts, policy *Compiled) {
	var at time.Time
	switch {
	case policy.isBroken():
		return
	case policy.Program.DependsOnTime(), isOverRate(policy.Policy, facts):
		at = facts.Now.Add(retryAfter)
	default:
		return
	}
	if d.RetryAt.IsZero() || at.Before(d.RetryAt) {
		d.RetryAt = at
	}
}

// why says why a policy does not approve.
func (e *Explained) why() string {
	if e.Policy.isBroken() {
		return "it is broken: " + e.Policy.whyBroken()
	}
	if failing := firstFailing(e.Checks); failing != nil {
		return failing.Name + ": " + failing.Says
	}
	return "it does not apply"
}

// Explain evaluates one policy: each of its bounds and conditions with its value. It says nothing
// of the floors.
func Explain(facts *Facts, policy *Compiled) Explained {
	explained := Explained{Policy: policy}
	if policy.isBroken() {
		explained.Err = fmt.Errorf("policy %q is broken: %s", policy.Name, policy.whyBroken())
		return explained
	}
	explained.Checks = policy.bounds(facts)
	isFalse := firstFailing(explained.Checks) != nil
	if !isFalse && facts.WithoutLedger && policy.readsCertificates() {
		explained.Err = errors.New("a condition reads certificates, and " + withoutLedger)
		explained.Checks = append(explained.Checks, Check{Name: "conditions", Says: "error: " + explained.Err.Error(), Err: explained.Err})
		return explained
	}
	for i, evaluated := range policy.Program.Evaluate(facts) {
		condition := policy.Conditions[i]
		check := Check{Name: "condition " + condition.Name, Passes: evaluated.Err == nil && evaluated.Value, Err: evaluated.Err}
		switch {
		case evaluated.Err != nil:
			check.Says = "error: " + identity.PrintableSentence(evaluated.Err.Error())
			explained.Err = fmt.Errorf("%s.expression: %w", ConditionField(i), evaluated.Err)
		case evaluated.Value:
			check.Says = "true"
		default:
			isFalse = true
			if check.Says = "false"; condition.Message != "" && policy.Action == Approve {
				check.Says = identity.Printable(condition.Message)
			}
		}
		explained.Checks = append(explained.Checks, check)
	}
	if isFalse {
		// One that is false decides, as && does in CEL: the error of another one does not matter.
		explained.Err = nil
		return explained
	}
	if explained.Err != nil {
		return explained
	}
	if policy.Action == Approve {
		use := policy.checkUse(facts)
		explained.Checks = append(explained.Checks, use)
		explained.Applies, explained.Err = use.Passes, use.Err
		return explained
	}
	explained.Applies = true
	return explained
}

// checkUse is checked last, since the API server has to be asked.
func (p *Policy) checkUse(facts *Facts) Check {
	requester := identity.Quote(facts.Review.Requester)
	may, err := facts.MayUse(p.Name)
	switch {
	case err != nil:
		return Check{Name: UseVerb, Says: "whether " + requester + " can use the policy could not be checked: " + identity.PrintableSentence(err.Error()), Err: err}
	case !may:
		return Check{Name: UseVerb, Says: requester + " cannot use the policy (verb use on " + Resource + "." + Group + " " + identity.Quote(p.Name) + ")"}
	}
	return Check{Name: UseVerb, Passes: true, Says: requester + " can use the policy"}
}

// bounds checks what a policy has of bounds.
func (p *Policy) bounds(facts *Facts) (checks []Check) {
	add := func(name string, passes bool, format string, arguments ...any) {
		checks = append(checks, Check{Name: name, Passes: passes, Says: fmt.Sprintf(format, arguments...)})
	}
	review := facts.Review
	if len(p.Users) > 0 {
		add("subject.users", slices.Contains(p.Users, review.User.Name), "the user is %s", identity.Quote(review.User.Name))
	}
	if len(p.Groups) > 0 {
		var outside []string
		for _, group := range review.User.Groups {
			if !slices.Contains(p.Groups, group) {
				outside = append(outside, identity.Quote(group))
			}
		}
		if len(outside) > 0 {
			add("subject.groups", false, "not among its groups: %s", some(outside))
		} else {
			add("subject.groups", true, "all groups of the user are among its groups")
		}
	}
	if p.Action != Approve {
		return checks
	}
	if p.MaximumLifetime > 0 {
		add("maximumLifetime", review.Lifetime <= p.MaximumLifetime, "the lifetime is %s, and at most %s is permitted", request.FormatLifetime(review.Lifetime), request.FormatLifetime(p.MaximumLifetime))
	}
	if len(p.KeyAlgorithms) > 0 {
		algorithm := KeyAlgorithm(review.Key)
		add("keyAlgorithms", slices.Contains(p.KeyAlgorithms, algorithm), "the key is %s", algorithm)
	}
	checks = append(checks, p.checkAccept(facts))
	if p.RateRequests > 0 {
		add("rate", !isOverRate(p, facts), "%s of %s approved in the last %s, and at most %d permitted",
			english.Plural(approvedWithin(p, facts), "request", ""), identity.Quote(review.Requester), request.FormatLifetime(p.RatePeriod), p.RateRequests)
	}
	if p.MaximumCertificates > 0 && facts.WithoutLedger {
		add("maximumCertificates", false, "the certificates of the user cannot be counted, because %s", withoutLedger)
	} else if p.MaximumCertificates > 0 {
		waiting := ""
		if facts.Awaited > 0 {
			waiting = fmt.Sprintf(" with %d approved and not issued yet", facts.Awaited)
		}
		add("maximumCertificates", !isOverCertificates(p, facts), "the user would have %s%s, and at most %d are permitted", english.Plural(certificatesWith(facts), "valid certificate", ""), waiting, p.MaximumCertificates)
	}
	if p.MaximumChainAge > 0 && facts.IsRenewal() {
		switch start := facts.ChainStart(); {
		case start.IsZero() && facts.WithoutLedger:
			add("maximumChainAge", false, "when the chain of renewals began is unknown, because %s", withoutLedger)
		case start.IsZero():
			add("maximumChainAge", false, "when the chain of renewals began is unknown")
		default:
			age := facts.Now.Sub(start).Truncate(time.Second)
			add("maximumChainAge", age <= p.MaximumChainAge, "the chain of renewals began %s ago, and at most %s is permitted", request.FormatLifetime(age), request.FormatLifetime(p.MaximumChainAge))
		}
	}
	return checks
}

// checkAccept checks that every finding that has to be accepted is.
func (p *Policy) checkAccept(facts *Facts) Check {
	var missing []string
	for _, name := range NeedsAcceptance(facts) {
		if !slices.Contains(p.Accept, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return Check{Name: "accept", Says: "not accepted: " + some(missing)}
	}
	return Check{Name: "accept", Passes: true, Says: "nothing was found that is not accepted"}
}

// NeedsAcceptance names the findings of a request that a policy has to accept. Who requests for
// somebody else is a member of other groups, so that is one finding and not two.
func NeedsAcceptance(facts *Facts) []string {
	var names []string
	if !facts.isOwn() {
		names = append(names, request.RequestedByOther)
	}
	for _, finding := range facts.Review.Findings {
		needs := finding.Severity == identity.Refused || finding.Name == request.MoreThanRequester && facts.isOwn()
		if needs && !slices.Contains(names, finding.Name) {
			names = append(names, finding.Name)
		}
	}
	return names
}

// approvedWithin counts approvals of the last period. The cluster's clock may be ahead: one in the future
// counts as one of now.
func approvedWithin(p *Policy, facts *Facts) int {
	count := 0
	for _, at := range facts.Approvals {
		if at.Add(p.RatePeriod).After(facts.Now) {
			count++
		}
	}
	return count
}

func isOverRate(p *Policy, facts *Facts) bool {
	return p.RateRequests > 0 && approvedWithin(p, facts) >= p.RateRequests
}

// certificatesWith counts the certificates that the user would have with the requested one.
func certificatesWith(facts *Facts) int { return len(facts.ValidCertificates()) + facts.Awaited + 1 }

func isOverCertificates(p *Policy, facts *Facts) bool {
	return p.MaximumCertificates > 0 && certificatesWith(facts) > p.MaximumCertificates
}

// HasRoom reports whether the policy can approve one more request, as far as what else is approved matters.
func (p *Policy) HasRoom(facts *Facts) bool {
	return !isOverRate(p, facts) && !isOverCertificates(p, facts)
}

// some joins the first few of a list.
func some(list []string) string {
	const most = 5
	if rest := len(list) - most; rest > 0 {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", rest)
	}
	return strings.Join(list, ", ")
}
