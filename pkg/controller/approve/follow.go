package approve

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/bindings"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// source is something on the cluster that decisions depend on: it is listed, and then watched.
type source struct {
	name string
	// list takes in everything that there is, and returns from where to watch.
	list func(ctx context.Context) (resourceVersion string, _ error)
	// watch takes in changes until the stream ends.
	watch func(ctx context.Context, resourceVersion string) error
}

// The names of sources of which a check reads other ones.
const (
	policiesName = "approval policies"
	requestsName = "certificate signing requests"
	recordsName  = "the ledger's records"
)

// requestQuery selects the requests that policies can approve.
var requestQuery = requests.Query{}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// follow keeps what is known of a source as the cluster has it, until the context ends. listed is
// called after each list, and trouble is told why a source cannot be read.
func (s source) follow(ctx context.Context, listed func(), trouble func(error)) {
	pause := firstPause
	for ctx.Err() == nil {
		version, err := s.list(ctx)
		if err == nil {
			listed()
			pause = firstPause
			err = s.watch(ctx, version)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			trouble(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		if err != nil {
			pause = min(2*pause, longestPause)
		}
	}
}

// listener is told what changed.
type listener struct {
	// request is told of a request that is new or changed, and gone of one that is gone.
	request func(*known)
	gone    func(*known)
	// circumstances is told that something changed which may matter to every request.
	circumstances func()
	// ledger is told whether there is one where that is news.
	ledger func(ledgerState)
	// policies is told which policies were compiled.
	policies func([]*compiledPolicy)
}

// clients are what is read of a cluster.
type clients struct {
	cluster     *cluster.Client
	requests    *requests.Client
	bindings    *bindings.Client
	enforcement *enforcement.Client
	policies    *resources.Policies
	records     *resources.Records
}

func clientsOf(c *cluster.Client) (clients, error) {
	policies, policiesErr := c.Resources().Policies()
	records, recordsErr := c.Resources().Records()
	return clients{c, c.Requests(), c.Bindings(), c.Enforcement(), policies, records}, errors.Join(policiesErr, recordsErr)
}

// Policies implements ruleReader.
func (c clients) Policies(ctx context.Context) (all []*policy.ApprovalPolicy, _ error) {
	_, err := c.policies.EachPage(ctx, "", func(page []*policy.ApprovalPolicy) error {
		all = append(all, page...)
		return nil
	})
	return all, c.policies.WhyNotServed(ctx, err)
}

// Revoked implements ruleReader.
func (c clients) Revoked(ctx context.Context) (access.List, error) {
	listed, err := c.enforcement.List(ctx)
	return listed.List, err
}

// reader makes sources that a world takes in.
type reader struct {
	*world

	from clients
	tell listener
}

// sourcesOf are everything that decisions depend on.
func sourcesOf(w *world, from clients, tell listener) []source {
	r := reader{w, from, tell}
	return []source{
		r.policies(), r.revocations(), r.records(),
		r.given("cluster role bindings", clusterBindings, from.bindings.ClusterBindings()),
		r.given("role bindings", namespacedBindings, from.bindings.NamespacedBindings()),
		r.given("cluster roles", roleReaches, from.bindings.RoleReaches()),
		r.requests(),
	}
}

func (r reader) requests() source {
	return source{
		name: requestsName,
		list: func(ctx context.Context) (string, error) {
			there := map[types.UID]bool{}
			version, err := r.from.requests.EachPage(ctx, requestQuery, func(page []*request.Request) {
				for _, object := range page {
					there[object.UID] = true
					r.tell.request(r.setRequest(object))
				}
			})
			if err != nil {
				return "", err
			}
			for _, gone := range r.keepRequests(there) {
				r.tell.gone(gone)
			}
			return version, nil
		},
		watch: func(ctx context.Context, version string) error {
			return r.from.requests.Stream(ctx, requestQuery, version, func(change requests.Change) {
				if !change.Deleted {
					r.tell.request(r.setRequest(change.Object))
				} else if before := r.deleteRequest(change.Object.UID); before != nil {
					r.tell.gone(before)
				}
			})
		},
	}
}

func (r reader) policies() source {
	all := map[string]*policy.ApprovalPolicy{}
	apply := func() {
		compiled, isOther := r.replacePolicies(valuesOf(all))
		if r.tell.policies(compiled); isOther {
			r.tell.circumstances()
		}
	}
	return source{
		name: policiesName,
		list: func(ctx context.Context) (string, error) {
			clear(all)
			version, err := r.from.policies.EachPage(ctx, "", func(page []*policy.ApprovalPolicy) error {
				for _, object := range page {
					all[object.Name] = object
				}
				return nil
			})
			if err == nil {
				apply()
			}
			return version, r.from.policies.WhyNotServed(ctx, err)
		},
		watch: func(ctx context.Context, version string) error {
			return r.from.policies.Watch(ctx, version, func(change resources.PolicyChange) {
				if change.IsDeleted {
					delete(all, change.Object.Name)
				} else {
					all[change.Object.Name] = change.Object
				}
				apply()
			})
		},
	}
}

func valuesOf(all map[string]*policy.ApprovalPolicy) []*policy.ApprovalPolicy {
	list := make([]*policy.ApprovalPolicy, 0, len(all))
	for _, one := range all {
		list = append(list, one)
	}
	return list
}

func (r reader) revocations() source {
	apply := func(listed enforcement.Listed) {
		if r.setList(listed.List) {
			r.tell.circumstances()
		}
	}
	return source{
		name: "the list of who is revoked",
		list: func(ctx context.Context) (string, error) {
			listed, err := r.from.enforcement.List(ctx)
			if err == nil {
				apply(listed)
			}
			return listed.Version, err
		},
		watch: func(ctx context.Context, version string) error {
			return r.from.enforcement.Watch(ctx, version, func() {}, apply)
		},
	}
}

func (r reader) given(name string, kind int, of bindings.Kind) source {
	return source{
		name: name,
		list: func(ctx context.Context) (string, error) {
			var all []bindings.Given
			version, err := of.List(ctx, func(given bindings.Given) { all = append(all, given) })
			if err == nil {
				r.replaceGiven(kind, all)
				r.tell.circumstances()
			}
			return version, err
		},
		watch: func(ctx context.Context, version string) error {
			return of.Watch(ctx, version, func(given bindings.Given, isDeleted bool) {
				r.setGiven(kind, given, isDeleted)
				r.tell.circumstances()
			})
		},
	}
}

// records is the ledger. On a cluster without one, what depends on it is left to people; one of a later version is
// an error.
func (r reader) records() source {
	return source{
		name: recordsName,
		list: func(ctx context.Context) (string, error) {
			version, err := r.from.records.EachPage(ctx, "", func(page []*ledger.ClientCertificate) error {
				for _, record := range page {
					r.setRecord(record)
				}
				return nil
			})
			err = r.from.records.WhyNotServed(ctx, err)
			is := hasLedger
			if errors.Is(err, resources.ErrNotInstalled) {
				is, version, err = withoutLedger, "", nil
			}
			if err == nil && r.setLedger(is) {
				r.tell.ledger(is)
			}
			return version, err
		},
		watch: func(ctx context.Context, version string) error {
			if version == "" {
				// It may be installed later.
				select {
				case <-ctx.Done():
				case <-time.After(time.Minute):
				}
				return nil
			}
			return r.from.records.Watch(ctx, version, func(change resources.RecordChange) {
				if !change.IsDeleted {
					r.setRecord(change.Object)
				}
			})
		},
	}
}
