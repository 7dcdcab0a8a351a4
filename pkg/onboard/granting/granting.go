package granting

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Result is what became of an object, in kubectl's words.
type Result string

// The results. What a client's dry run would create is Created, because nobody is asked.
const (
	Created    Result = "created"
	Configured Result = "configured"
	Unchanged  Result = "unchanged"
)

// Applied is an object that gives something.
type Applied struct {
	Object runtime.Object
	Result Result
}

// Run gives a user or a group what is wanted, and returns the objects that give it. It warns about a
// user whom nothing on the cluster names. In a client's dry run nothing is created, in a server's the
// cluster checks it.
func Run(ctx context.Context, p *onboard.Program, user identity.User, in onboard.GrantInput, dryRun onboard.DryRun) ([]Applied, error) {
	if in.ToGroup {
		var err error
		if user, err = lastKnown(ctx, p, user.Name); err != nil {
			return nil, err
		}
	}
	wanted, err := in.WantedFor(user)
	if err != nil {
		return nil, err
	}
	var applied []Applied
	for _, object := range access.Objects(wanted) {
		applied = append(applied, Applied{Object: object, Result: Created})
	}
	if dryRun == onboard.DryRunClient {
		return applied, nil
	}
	if in.Group == "" {
		if err := checkReturn(ctx, p, user, wanted, in.Allow); err != nil {
			return nil, err
		}
	}
	known := make(chan bool, 1)
	go func() { known <- in.Group != "" || in.ToGroup || isKnown(ctx, p, user.Name) }()
	err = p.CheckGiving(ctx, user, in)
	if !<-known && err == nil {
		p.Tell(UserUnknown{Name: user.Name})
	}
	if err != nil {
		return nil, err
	}
	before := versions(ctx, p, applied)
	if dryRun == onboard.DryRunNone {
		if err := p.Give(ctx, user, in); err != nil {
			return nil, err
		}
	}
	after := versions(ctx, p, applied)
	for i := range applied {
		switch before[i] {
		case "":
		case after[i]:
			applied[i].Result = Unchanged
		default:
			applied[i].Result = Configured
		}
	}
	return applied, nil
}

// versions are the versions of objects on the cluster; "" for those that do not exist.
func versions(ctx context.Context, p *onboard.Program, applied []Applied) []string {
	found := make([]string, len(applied))
	for i, one := range applied {
		found[i] = p.Cluster.Bindings().Version(ctx, one.Object)
	}
	return found
}

// checkReturn refuses to give a role to a user who left, or that the holder of another
// certificate of the user would get as well.
func checkReturn(ctx context.Context, p *onboard.Program, user identity.User, wanted []access.Wanted, allowed []string) error {
	standing, err := p.Standing(ctx)
	if err != nil {
		return err
	}
	grants, _, err := p.Cluster.Bindings().Grants(ctx)
	if err != nil {
		return err
	}
	claim := request.Claim{User: user, Gives: onboard.NewGrants(wanted, grants)}
	return p.CheckStanding(standing, claim, allowed, request.AllowFlag, func(finding string) string { return request.AllowFlag + " " + finding })
}

// isKnown reports whether a request or a binding on the cluster names a user, or that could
// not be looked up: only a user who was looked for is unknown.
func isKnown(ctx context.Context, p *onboard.Program, name string) bool {
	held, err := p.Cluster.Bindings().HeldBy(ctx, name)
	if err != nil || len(held) > 0 {
		return true
	}
	isNamed := false
	err = p.Cluster.Requests().EachOfUsers(ctx, requests.Query{AllSigners: true}, func(_ *request.Request, users []string) {
		isNamed = isNamed || slices.Contains(users, name)
	})
	return err != nil || isNamed
}

// lastKnown is who a user is by the newest of their requests on the cluster that was
// approved: what they only ask for counts for nothing.
func lastKnown(ctx context.Context, p *onboard.Program, name string) (identity.User, error) {
	var approved []*request.Review
	err := p.Cluster.Requests().EachOfUsers(ctx, requests.Query{}, func(object *request.Request, users []string) {
		if !slices.Contains(users, name) {
			return
		}
		if review := request.ReviewOf(object); review.User.Name == name && request.Approval().Is(review.State) {
			approved = append(approved, review)
		}
	})
	if err != nil {
		return identity.User{}, err
	}
	last := request.Newest(approved)
	if last == nil {
		return identity.User{}, outcome.WithHint(
			outcome.Errorf(outcome.ErrNotFound, "the groups of the user %q are unknown: no approved request of this user found on the cluster", name),
			"name the group itself: kubectl csr-onboard grant --group GROUP, with the same roles; requests are kept for an hour")
	}
	return last.User, nil
}
