package approve

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// CheckInput is what Check and Explain take.
type CheckInput struct {
	// Cluster is the client. Required.
	Cluster *cluster.Client
	// Approver is the user as whom the controller decides. Required.
	Approver string
	// Policies are evaluated in the place of those of the cluster; nil for those of the cluster.
	Policies []*policy.Policy
	// Now is the clock. Required.
	Now func() time.Time
}

// Checked is what the policies say of one request.
type Checked struct {
	// Request is the request, and State where it stands.
	Request *request.Request
	// User is who it is for; "" if that cannot be read.
	User     string
	Decision policy.Decision
}

// Check is what the policies say of every request.
type Check struct {
	// Policies are those that were evaluated.
	Policies []*policy.Compiled
	// Requests are those of the cluster, the oldest first.
	Requests []Checked
}

// Broken are the policies that cannot be evaluated, or could not for a request.
func (c *Check) Broken() (mistakes []string) {
	for _, one := range c.Policies {
		for _, mistake := range one.Mistakes {
			mistakes = append(mistakes, fmt.Sprintf("policy %q: %s", identity.Printable(one.Name), mistake))
		}
	}
	seen := map[string]bool{}
	for _, checked := range c.Requests {
		for _, explained := range checked.Decision.Policies {
			if explained.Err == nil || explained.Policy.Program == nil || seen[explained.Policy.Name] {
				continue
			}
			seen[explained.Policy.Name] = true
			mistakes = append(mistakes, fmt.Sprintf("policy %q: %s (request %s)", identity.Printable(explained.Policy.Name),
				identity.PrintableSentence(explained.Err.Error()), identity.Quote(checked.Request.Name)))
		}
	}
	return mistakes
}

// rehearsal is what a check evaluates.
type rehearsal struct {
	evaluator
	policies []*policy.Compiled

	requests []*request.Request
}

// checksAtOnce bounds how many requests are evaluated at the same time.
const checksAtOnce = 8

// CheckAll evaluates policies for the requests of the cluster and decides nothing. Requests that are
// decided are evaluated as they were when they were created.
func CheckAll(ctx context.Context, in CheckInput) (*Check, error) {
	r, err := rehearse(ctx, in)
	if err != nil {
		return nil, err
	}
	check := &Check{Policies: r.policies}
	check.Requests = parallel.Map(checksAtOnce, r.requests, func(object *request.Request) Checked {
		_, decision := r.decide(ctx, object, in.Now())
		checked := Checked{Request: object, Decision: decision}
		if decoded, err := object.PKCS10(); err == nil {
			checked.User = decoded.User().Name
		}
		return checked
	})
	return check, nil
}

// Explanation is what one policy says of one request, and what comes of the request.
type Explanation struct {
	Request   *request.Request
	Facts     *policy.Facts
	Explained policy.Explained
	// Decision is that of all policies.
	Decision policy.Decision
}

// Explain evaluates one policy for one request, whatever the others say.
func Explain(ctx context.Context, in CheckInput, policyName, requestName string) (*Explanation, error) {
	r, err := rehearse(ctx, in)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(r.policies, func(one *policy.Compiled) bool { return one.Name == policyName })
	if at < 0 {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrNotFound, "approval policy %q not found", policyName), "see which there are: %s", identity.NewCommand("kubectl get").Words(policy.Resource))
	}
	found := slices.IndexFunc(r.requests, func(one *request.Request) bool { return one.Name == requestName })
	if found < 0 {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrNotFound, "certificate signing request %q not found", requestName), "see which there are: kubectl csr-onboard list")
	}
	object := r.requests[found]
	facts, decision := r.decide(ctx, object, in.Now())
	return &Explanation{Request: object, Facts: facts, Explained: policy.Explain(facts, r.policies[at]), Decision: decision}, nil
}

// decide decides about a request, as of its creation where somebody has decided since.
func (r *rehearsal) decide(ctx context.Context, object *request.Request, now time.Time) (*policy.Facts, policy.Decision) {
	if request.StateOf(object) != request.Pending {
		now = object.CreationTimestamp.Time
	}
	return r.evaluateWith(ctx, &known{object: object, isOversized: len(object.Spec.Request) > largestRequest}, now, r.policies)
}

// rehearse reads what decisions depend on, once.
func rehearse(ctx context.Context, in CheckInput) (*rehearsal, error) {
	from, err := clientsOf(in.Cluster)
	if err != nil {
		return nil, err
	}
	w, err := newWorld()
	if err != nil {
		return nil, err
	}
	r := &rehearsal{evaluator: evaluator{world: w, approver: in.Approver, permissions: newPermissions(in.Cluster.Controlling(), in.Now)}}
	quiet := listener{request: func(*known) {}, gone: func(*known) {}, circumstances: func() {}, policies: func([]*compiledPolicy) {}}
	sources := sourcesOf(w, from, quiet)
	sources = slices.DeleteFunc(sources, func(one source) bool {
		return one.name == requestsName || one.name == policiesName && in.Policies != nil
	})
	errs := parallel.Map(len(sources)+1, append(sources, source{list: func(ctx context.Context) (string, error) { return r.listRequests(ctx, from) }}), func(one source) error {
		_, err := one.list(ctx)
		return err
	})
	if err := cmp.Or(errs...); err != nil {
		return nil, err
	}
	r.policies = w.compiled()
	if in.Policies != nil {
		r.policies = []*policy.Compiled{}
		for _, one := range in.Policies {
			r.policies = append(r.policies, w.compiler.Compile(one))
		}
	}
	return r, nil
}

// listRequests takes in all requests, and keeps them, the oldest first.
func (r *rehearsal) listRequests(ctx context.Context, from clients) (string, error) {
	seen := map[types.UID]bool{}
	version, err := from.requests.EachPage(ctx, requestQuery, func(page []*request.Request) {
		for _, object := range page {
			r.world.setRequest(object)
			if !seen[object.UID] {
				seen[object.UID] = true
				r.requests = append(r.requests, object)
			}
		}
	})
	slices.SortStableFunc(r.requests, func(a, b *request.Request) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return version, err
}
