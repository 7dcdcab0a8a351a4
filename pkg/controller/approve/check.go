package approve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
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
	// Since has the requests evaluated that the ledger's records have since that time, in place of
	// those of the cluster; zero for those of the cluster. Explain does not use it.
	Since time.Time
}

// Checked is what the policies say of one request.
type Checked struct {
	// Review is that of the request. Its User is empty if it cannot be read.
	Review   *request.Review
	Decision policy.Decision
}

// Check is what the policies say of every request.
type Check struct {
	// Policies are those that were evaluated.
	Policies []*policy.Compiled
	// Requests are those of the cluster or of the ledger, the oldest first.
	Requests []Checked
	// Since is from when the ledger's records are; zero for the requests of the cluster.
	Since time.Time
	// NotEvaluated counts records since then that do not hold who asked for what.
	NotEvaluated int
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
				identity.PrintableSentence(explained.Err.Error()), identity.Quote(checked.Review.Object.Name)))
		}
	}
	return mistakes
}

// rehearsal is what a check evaluates.
type rehearsal struct {
	evaluator
	policies []*policy.Compiled

	// reviews are those of the requests to evaluate, the oldest first.
	reviews      []*request.Review
	notEvaluated int
}

// checksAtOnce bounds how many requests are evaluated at the same time.
const checksAtOnce = 8

// CheckAll evaluates policies for the requests of the cluster, or for those of the ledger, and decides
// nothing. Requests that are decided are evaluated as they were when they were created.
func CheckAll(ctx context.Context, in CheckInput) (*Check, error) {
	r, err := rehearse(ctx, in)
	if err != nil {
		return nil, err
	}
	check := &Check{Policies: r.policies, Since: in.Since, NotEvaluated: r.notEvaluated}
	check.Requests = parallel.Map(checksAtOnce, r.reviews, func(review *request.Review) Checked {
		_, decision := r.decide(ctx, review, in.Now())
		return Checked{Review: review, Decision: decision}
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
	in.Since = time.Time{}
	r, err := rehearse(ctx, in)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(r.policies, func(one *policy.Compiled) bool { return one.Name == policyName })
	if at < 0 {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrNotFound, "approval policy %q not found", policyName), "see which there are: %s", identity.NewCommand("kubectl get").Words(policy.Resource))
	}
	found := slices.IndexFunc(r.reviews, func(one *request.Review) bool { return one.Object.Name == requestName })
	if found < 0 {
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrNotFound, "certificate signing request %q not found", requestName), "see which there are: kubectl csr-onboard list")
	}
	review := r.reviews[found]
	facts, decision := r.decide(ctx, review, in.Now())
	return &Explanation{Request: review.Object, Facts: facts, Explained: policy.Explain(facts, r.policies[at]), Decision: decision}, nil
}

// decide decides about a request, as of its creation where somebody has decided since.
func (r *rehearsal) decide(ctx context.Context, review *request.Review, now time.Time) (*policy.Facts, policy.Decision) {
	isDecided := review.State != request.Pending
	var until time.Time
	if isDecided {
		until = review.Object.CreationTimestamp.Time
		now = until
	}
	facts := r.facts(ctx, review, now, until)
	if isDecided {
		// Both times are of the API server.
		maps.DeleteFunc(facts.Certificates, func(_ string, one *policy.Certificate) bool { return one.ApprovedAt.After(now) })
	}
	return facts, decide(facts, r.policies, len(review.Object.Spec.Request) > largestRequest)
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
	quiet := listener{request: func(*known) {}, gone: func(*known) {}, circumstances: func() {}, ledger: func(ledgerState) {}, policies: func([]*compiledPolicy) {}}
	sources := sourcesOf(w, from, quiet)
	sources = slices.DeleteFunc(sources, func(one source) bool {
		return one.name == requestsName || one.name == policiesName && in.Policies != nil || one.name == recordsName && !in.Since.IsZero()
	})
	requested := source{list: func(ctx context.Context) (string, error) { return r.listRequests(ctx, from) }}
	if !in.Since.IsZero() {
		requested = source{list: func(ctx context.Context) (string, error) { return r.listRecords(ctx, from, in.Since) }}
	}
	errs := parallel.Map(len(sources)+1, append(sources, requested), func(one source) error {
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
				r.reviews = append(r.reviews, request.ReviewOf(object))
			}
		}
	})
	r.sort()
	return version, err
}

// listRecords takes in all records of the ledger, and keeps the requests of those since a time, the
// oldest first.
func (r *rehearsal) listRecords(ctx context.Context, from clients, since time.Time) (string, error) {
	version, err := from.records.EachPage(ctx, "", func(page []*ledger.ClientCertificate) error {
		for _, record := range page {
			r.addRecord(record, since)
		}
		return nil
	})
	err = from.records.WhyNotServed(ctx, err)
	if errors.Is(err, resources.ErrNotInstalled) {
		return "", outcome.WithHint(outcome.Errorf(outcome.ErrNotFound, "ledger not found on this cluster"), "install it: %s#install", ledger.Guide)
	}
	r.world.setLedger(hasLedger)
	r.sort()
	return version, err
}

// addRecord takes in a record, of which the request counts as far as it is known.
func (r *rehearsal) addRecord(record *ledger.ClientCertificate, since time.Time) {
	r.world.setRecord(record)
	review, isKnown := record.ReviewOfRequest()
	if isKnown {
		r.world.setRecordedRequest(record, review)
	}
	switch asked := record.Spec.Request; {
	case asked == nil || asked.CreatedAt == nil:
		if !record.Spec.NotBefore.Time.Before(since) {
			r.notEvaluated++
		}
	case asked.CreatedAt.Time.Before(since):
	case isKnown:
		r.reviews = append(r.reviews, review)
	default:
		r.notEvaluated++
	}
}

func (r *rehearsal) sort() {
	slices.SortStableFunc(r.reviews, func(a, b *request.Review) int {
		return cmp.Or(a.Object.CreationTimestamp.Compare(b.Object.CreationTimestamp.Time), strings.Compare(a.Object.Name, b.Object.Name))
	})
}
