package completion

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Candidate is a name that a person who is typing may mean.
type Candidate struct {
	// Name is a name that means it, and Request the name of a request that does. Either
	// may be empty. They are as they came from outside: whether a shell or a terminal may
	// see one is for the caller to judge.
	Name, Request string
	// About says what they should know of it, safe to print.
	About string
}

// PendingUsers are the users whose requests nobody has decided, and where a name
// is claimed by several requests, those requests. With an error they are what was found
// before it.
func PendingUsers(ctx context.Context, p *onboard.Program) ([]Candidate, error) {
	type claim struct {
		request string
		about   string
	}
	claims := map[string][]claim{}
	err := p.Cluster.Requests().Each(ctx, requests.Query{}, func(object *request.Request) {
		if request.StateOf(object) != request.Pending {
			return
		}
		parsed, err := object.PKCS10()
		if err != nil {
			return
		}
		user := parsed.User()
		age := duration.HumanDuration(p.Now().Sub(object.CreationTimestamp.Time).Round(time.Second))
		claims[user.Name] = append(claims[user.Name], claim{object.Name, user.String() + ", asked " + age + " ago"})
	})
	var candidates []Candidate
	for user, claimed := range claims {
		for _, one := range claimed {
			candidate := Candidate{Request: one.request, About: one.about}
			if len(claimed) == 1 {
				candidate.Name = user
			}
			candidates = append(candidates, candidate)
		}
	}
	return candidates, err
}

// KnownUsers are the users whom role bindings or requests on the cluster name,
// without Kubernetes' own.
func KnownUsers(ctx context.Context, p *onboard.Program) ([]Candidate, error) {
	users, err := bound(ctx, p, false)
	if err == nil {
		err = p.Cluster.Requests().Each(ctx, requests.Query{}, func(object *request.Request) {
			parsed, err := object.PKCS10()
			if err != nil {
				return
			}
			user := parsed.User()
			if _, known := users[user.Name]; !known && !identity.IsSystem(user.Name) {
				users[user.Name] = "request " + strings.ToLower(string(request.StateOf(object)))
			}
		})
	}
	return candidatesOf(users), err
}

// KnownGroups are the groups that role bindings name, without Kubernetes' own.
func KnownGroups(ctx context.Context, p *onboard.Program) ([]Candidate, error) {
	groups, err := bound(ctx, p, true)
	return candidatesOf(groups), err
}

// bound are the users, or the groups, that role bindings name, without Kubernetes' own,
// and what each is given.
func bound(ctx context.Context, p *onboard.Program, areGroups bool) (map[string]string, error) {
	names := map[string]string{}
	grants, _, err := p.Cluster.Bindings().Grants(ctx)
	for holder, given := range grants {
		if holder.IsGroup == areGroups && !identity.IsSystem(holder.Name) {
			names[holder.Name] = describeGrants(given)
		}
	}
	return names, err
}

// OwnUsers are the users whose requests are on this machine: in the directory that was
// named, or under home.
func OwnUsers(directory, home string) []Candidate {
	users := map[string]string{}
	for _, encoded := range store.UserRequests(directory, home) {
		if parsed, err := pki.ParseRequest(encoded); err == nil {
			users[parsed.User().Name] = parsed.User().String()
		}
	}
	return candidatesOf(users)
}

// Names are names of which there is nothing more to say.
func Names(names []string) []Candidate {
	candidates := make([]Candidate, len(names))
	for i, name := range names {
		candidates[i].Name = name
	}
	return candidates
}

func describeGrants(given []access.Grant) string {
	const most = 3
	var words []string
	for _, grant := range given {
		words = append(words, grant.String())
	}
	slices.Sort(words)
	words = slices.Compact(words)
	if len(words) > most {
		words = append(words[:most], "…")
	}
	return strings.Join(words, ", ")
}

func candidatesOf(abouts map[string]string) []Candidate {
	candidates := make([]Candidate, 0, len(abouts))
	for _, name := range slices.Sorted(maps.Keys(abouts)) {
		candidates = append(candidates, Candidate{Name: name, About: abouts[name]})
	}
	return candidates
}
