package approve

import (
	"context"
	"fmt"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy/condition"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// evaluator decides, and does nothing about it.
type evaluator struct {
	world *world
	// approver is who decides.
	approver    string
	permissions *permissions
}

// evaluate decides about a request as it is at a time.
func (e *evaluator) evaluate(ctx context.Context, one *known, now time.Time) (*policy.Facts, policy.Decision) {
	facts := e.facts(ctx, request.ReviewOf(one.object), now, time.Time{})
	return facts, decide(facts, e.world.compiled(), one.isOversized)
}

// decide decides by policies, unless the request was too large to be kept.
func decide(facts *policy.Facts, policies []*policy.Compiled, isOversized bool) policy.Decision {
	if isOversized {
		return policy.Decision{Outcome: policy.Left, Why: fmt.Sprintf("%s: the request is larger than %d bytes, and is not read", request.Oversized, largestRequest)}
	}
	return policy.Decide(facts, policies)
}

// facts are those of a reviewed request, with the questions that the API server answers. If until is
// set, what came later does not count.
func (e *evaluator) facts(ctx context.Context, review *request.Review, now, until time.Time) *policy.Facts {
	facts := e.world.facts(review, now, until)
	facts.Approver = e.approver
	spec := review.Object.Spec
	facts.MayUse = func(name string) (bool, error) {
		return e.permissions.ask(ctx, spec, attributesOf(policy.Group, policy.Resource, "", name, policy.UseVerb), nil)
	}
	facts.CanApprove = func() (bool, error) {
		for _, right := range []*authorizationv1.ResourceAttributes{
			attributesOf(certificatesv1.GroupName, "certificatesigningrequests", "approval", "", "update"),
			attributesOf(certificatesv1.GroupName, "signers", "", request.Signer, "approve"),
		} {
			if may, err := e.permissions.ask(ctx, spec, right, nil); err != nil || !may {
				return false, err
			}
		}
		return true, nil
	}
	facts.Authorizer = condition.Authorizer(func(asked authorizer.Attributes) (bool, error) {
		about := spec
		// A condition can ask about a service account instead.
		if user := asked.GetUser(); user.GetName() != spec.Username {
			about = certificatesv1.CertificateSigningRequestSpec{Username: user.GetName(), Groups: user.GetGroups(), UID: user.GetUID()}
		}
		if !asked.IsResourceRequest() {
			return e.permissions.ask(ctx, about, nil, &authorizationv1.NonResourceAttributes{Path: asked.GetPath(), Verb: asked.GetVerb()})
		}
		attributes := attributesOf(asked.GetAPIGroup(), asked.GetResource(), asked.GetSubresource(), asked.GetName(), asked.GetVerb())
		attributes.Namespace = asked.GetNamespace()
		return e.permissions.ask(ctx, about, attributes, nil)
	})
	return facts
}

func attributesOf(group, name, subresource, object, verb string) *authorizationv1.ResourceAttributes {
	return &authorizationv1.ResourceAttributes{Group: group, Resource: name, Subresource: subresource, Name: object, Verb: verb}
}

// permissionTime is how long an answer of the API server is used again. Where role bindings change,
// it is asked at once.
const permissionTime = 10 * time.Second

// authority answers whether the requester of a request is permitted to do something. One of resource
// and path is given.
type authority interface {
	RequesterMay(ctx context.Context, spec certificatesv1.CertificateSigningRequestSpec, resource *authorizationv1.ResourceAttributes, path *authorizationv1.NonResourceAttributes) (bool, error)
}

// permissions are what requesters are permitted to do, as the API server says.
type permissions struct {
	cluster authority
	now     func() time.Time

	mutex   sync.Mutex
	answers map[string]answer
}

type answer struct {
	may   bool
	until time.Time
}

func newPermissions(of authority, now func() time.Time) *permissions {
	return &permissions{cluster: of, now: now, answers: map[string]answer{}}
}

func (p *permissions) ask(ctx context.Context, spec certificatesv1.CertificateSigningRequestSpec, resource *authorizationv1.ResourceAttributes, path *authorizationv1.NonResourceAttributes) (bool, error) {
	key := fmt.Sprintf("%q %q %q %q %q %q", spec.Username, spec.UID, spec.Groups, spec.Extra, resource, path)
	now := p.now()
	p.mutex.Lock()
	before, isAnswered := p.answers[key]
	p.mutex.Unlock()
	if isAnswered && now.Before(before.until) {
		return before.may, nil
	}
	may, err := p.cluster.RequesterMay(ctx, spec, resource, path)
	if err != nil {
		return false, err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if len(p.answers) > 10_000 {
		clear(p.answers)
	}
	p.answers[key] = answer{may, now.Add(permissionTime)}
	return may, nil
}

// forget has everything asked again.
func (p *permissions) forget() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	clear(p.answers)
}
