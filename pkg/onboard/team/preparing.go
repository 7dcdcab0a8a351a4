package team

import (
	"context"
	"errors"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// preparing takes users from their names to requests that are submitted and, with Approve,
// approved.
type preparing struct {
	*circumstances

	// rehearsal is what a dry run with Approve has found; nil otherwise.
	rehearsal *rehearsal
	// waiting is nil where no certificates are waited for.
	waiting *waiting
	whoAmI  func(context.Context) (identity.User, error)
}

func newPreparing(c *circumstances, found *rehearsal, w *waiting) *preparing {
	whoAmI := once(func(ctx context.Context) (identity.User, error) { return c.program.Cluster.WhoAmI(ctx) })
	return &preparing{circumstances: c, rehearsal: found, waiting: w, whoAmI: whoAmI}
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

// begin takes the user at a place to an end, or to the wait for a certificate: then waits is
// true.
func (p *preparing) begin(ctx context.Context, place int) (_ Result, waits bool) {
	member := p.in.Members[place]
	member.DryRun, member.Signer = p.in.DryRun, p.in.Signer
	if p.in.collects() {
		if result, isEnd := p.checkKubeconfig(ctx, member); isEnd {
			return result, false
		}
	}
	submitted, err := p.prepare(member)
	if err != nil {
		return p.failed(member, err), false
	}
	name, err := p.submit(ctx, member, place, submitted)
	if err == nil && p.in.Approve && p.rehearsal == nil {
		err = p.approve(ctx, member, submitted)
	}
	if err == nil && p.waiting != nil {
		p.waiting.Await(submitted.Object)
		return Result{}, true
	}
	if p.waiting != nil {
		p.waiting.Forget(name)
	}
	return p.submittedResult(member, name, submitted, err), false
}

// failed is the result of a user for whom nothing was submitted.
func (p *preparing) failed(member Member, err error) Result {
	if p.rehearsal == nil {
		return Result{Err: err}
	}
	_, lacksErr := p.rehearsal.of(member)
	return Result{Err: together(err, lacksErr)}
}

// submittedResult is the result of a user whose request was submitted, or as much of that as
// a dry run does.
func (p *preparing) submittedResult(member Member, name string, submitted *onboard.Submission, err error) Result {
	var wanted []access.Wanted
	if p.rehearsal != nil {
		var lacksErr error
		wanted, lacksErr = p.rehearsal.of(member)
		err = together(err, lacksErr)
	}
	result := Result{Request: name, State: MemberSubmitted, Path: member.Directory.RequestPath(), Wanted: wanted, Err: err}
	switch {
	case p.in.DryRun == onboard.DryRunClient:
		result.State = MemberMade
	case p.in.DryRun == onboard.DryRunServer:
		result.State = MemberChecked
	case !submitted.Created:
		result.State = MemberFound
	}
	if p.in.KeepObjects {
		result.Object = submitted.Object
	}
	return result
}

// checkKubeconfig looks at the place of a user's kubeconfig. isEnd is true where one with a
// valid certificate exists, and where none could be written.
func (p *preparing) checkKubeconfig(ctx context.Context, member Member) (_ Result, isEnd bool) {
	to := p.program.Destination(p.in.Kubeconfig, member.Directory, member.User)
	certificate := to.Complete(p.program.Now())
	if certificate == nil {
		if err := to.CheckEarly(ctx); err != nil {
			return p.failed(member, err), true
		}
		return Result{}, false
	}
	if err := p.checkReturn(member, certificate.Leaf.PublicKey); err != nil {
		return p.failed(member, err), true
	}
	result := Result{State: MemberComplete, Path: to.Path, NotAfter: certificate.Leaf.NotAfter}
	if p.in.Approve {
		result.Err = p.give(ctx, member)
	}
	return result, true
}

// prepare creates a user's key and request where they do not exist.
func (p *preparing) prepare(member Member) (*onboard.Submission, error) {
	p.program.WarnOfName(member.User)
	if p.known != nil {
		if err := p.program.CheckGrants(member.User, p.known); err != nil {
			return nil, err
		}
	}
	submitted, err := p.program.PrepareRequest(member.NewUserInput)
	if err != nil {
		return nil, err
	}
	if err := p.checkReturn(member, submitted.Key.Public()); err != nil {
		return nil, err
	}
	return submitted, submitted.Keep()
}

// submit submits a user's request. It returns the name of the request that counts.
func (p *preparing) submit(ctx context.Context, member Member, place int, submitted *onboard.Submission) (name string, _ error) {
	name = submitted.Object.Name
	if p.waiting != nil {
		p.waiting.expect(name, place)
	}
	if p.in.DryRun != onboard.DryRunClient {
		if err := p.send(ctx, member, submitted); err != nil {
			return name, err
		}
	}
	return p.sendAgain(ctx, member, place, submitted)
}

func (p *preparing) send(ctx context.Context, member Member, submitted *onboard.Submission) error {
	return p.persevere(ctx, func() error { return p.program.Send(ctx, member.NewUserInput, submitted, p.whoAmI) })
}

// sendAgain submits another request for a user whose request was found with a certificate
// that has expired. It returns the name of the request that counts.
func (p *preparing) sendAgain(ctx context.Context, member Member, place int, submitted *onboard.Submission) (name string, _ error) {
	name = submitted.Object.Name
	replaced, err := p.program.PrepareAgain(member.NewUserInput, submitted)
	if err != nil || !replaced {
		return name, err
	}
	if p.waiting != nil {
		p.waiting.Forget(name)
		p.waiting.expect(submitted.Object.Name, place)
	}
	name = submitted.Object.Name
	return name, p.send(ctx, member, submitted)
}

// approve approves a user's request and gives them what they are to get.
func (p *preparing) approve(ctx context.Context, member Member, submitted *onboard.Submission) error {
	err := p.persevere(ctx, func() error {
		err := p.program.ApproveOwn(ctx, member.NewUserInput, submitted)
		if !errors.Is(err, outcome.ErrChanged) {
			return err
		}
		// A call whose answer was lost has approved it, or another administrator.
		object, getErr := p.program.Cluster.Requests().Get(ctx, submitted.Object.Name)
		if cluster.MayPass(getErr) {
			return getErr
		}
		if getErr != nil || object.UID != submitted.Object.UID || !request.Approval().Is(request.StateOf(object)) {
			return err
		}
		submitted.Object = object
		return nil
	})
	if err != nil {
		return err
	}
	return p.give(ctx, member)
}

// give gives a user the roles that the file names.
func (p *preparing) give(ctx context.Context, member Member) error {
	return p.persevere(ctx, func() error { return p.program.Give(ctx, member.User, member.Grants) })
}
