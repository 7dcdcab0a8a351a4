package requests

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Ending is how the wait for one request ended.
type Ending struct {
	// Place is what Expect was given with the name.
	Place int
	// Name is the object's.
	Name string
	// Object is the object with its certificate; nil where Err says why there is none.
	Object *request.Request
	Err    error
}

// Awaiting waits for many requests of csr-onboard's by one watch. It keeps of each
// only its name and UID. Its methods may be used by several goroutines.
type Awaiting struct {
	client *Client
	ctx    context.Context
	ended  chan Ending
	failed chan error

	mutex    sync.Mutex
	expected map[string]*expected
}

// expected is a request that is waited for.
type expected struct {
	place int
	// uid is the object's; "" until it is known.
	uid types.UID
	// seen is the version that the watch saw last while the UID was not known.
	seen *Change
}

// AwaitMany begins to watch the requests for a signer, before the first is submitted, so
// that nothing that happens to one is missed. All are watched: a label that somebody else
// takes from one would end the wait for it. Who cannot list
// and watch requests gets an error. trouble is told why the server cannot be asked just
// now; the wait continues. It ends with the context.
func (c *Client) AwaitMany(ctx context.Context, signer string, trouble func(error)) (*Awaiting, error) {
	query := Query{Signer: signer}
	from, err := c.latestVersion(ctx, query)
	if apierrors.IsForbidden(err) {
		return nil, outcome.ReplaceHint(err, "many users at once require list and watch on certificatesigningrequests; ask an administrator for them, or onboard one by one")
	}
	if err != nil {
		return nil, err
	}
	a := &Awaiting{client: c, ctx: ctx, ended: make(chan Ending), failed: make(chan error, 1), expected: map[string]*expected{}}
	go func() {
		a.failed <- c.Watch(ctx, query, from, a.visit, trouble)
	}()
	return a, nil
}

// latestVersion is the resourceVersion of the requests as they are now.
func (c *Client) latestVersion(ctx context.Context, query Query) (string, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	options := query.options()
	options.Limit = 1
	page, err := c.api.Requests.List(call, options)
	if err != nil {
		return "", c.api.Explain(ctx, err, listing)
	}
	return page.ResourceVersion, nil
}

// Ended yields how each wait ended, once for each request, until the context ends.
func (a *Awaiting) Ended() iter.Seq[Ending] {
	return func(yield func(Ending) bool) {
		for {
			select {
			case ending := <-a.ended:
				if !yield(ending) {
					return
				}
			case <-a.ctx.Done():
				return
			}
		}
	}
}

// Failed hands over why the watch ended, of which no more can come.
func (a *Awaiting) Failed() <-chan error { return a.failed }

// Expect has the versions of a request be kept that is about to be submitted under a
// name. Forget or Await has to follow. The ending tells the place, which is for the caller.
func (a *Awaiting) Expect(name string, place int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.expected[name] = &expected{place: place}
}

// Forget ends the wait for a request without an ending.
func (a *Awaiting) Forget(name string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.expected, name)
}

// Waiting returns the names of the requests whose waits have not ended.
func (a *Awaiting) Waiting() []string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.Collect(maps.Keys(a.expected))
}

// Await waits for a request that was expected, from this version of its object on.
func (a *Awaiting) Await(object *request.Request) {
	a.mutex.Lock()
	e := a.expected[object.Name]
	e.uid = object.UID
	seen := e.seen
	e.seen = nil
	a.mutex.Unlock()
	if seen != nil {
		// What was seen on the way is as new as this version, or newer.
		a.take(*seen)
	}
	a.take(Change{Object: object})
}

// Look gets a request that is waited for and takes it in: for a change that the watch
// has missed. One that is being submitted may not exist yet, and the watch has not missed it.
func (a *Awaiting) Look(name string) error {
	a.mutex.Lock()
	e := a.expected[name]
	isSubmitted := e != nil && e.uid != ""
	a.mutex.Unlock()
	if !isSubmitted {
		return nil
	}
	object, err := a.client.Get(a.ctx, name)
	if errors.Is(err, outcome.ErrNotFound) {
		a.end(name, e, Ending{Name: name, Err: deletedWhileAwaited(name)})
		return nil
	}
	if err == nil {
		a.take(Change{Object: object})
	}
	return err
}

func (a *Awaiting) visit(change Change) (goOn bool) {
	a.mutex.Lock()
	e := a.expected[change.Object.Name]
	isEarly := e != nil && e.uid == ""
	if isEarly {
		e.seen = &change
	}
	a.mutex.Unlock()
	if e != nil && !isEarly {
		a.take(change)
	}
	return a.ctx.Err() == nil
}

// take judges a version of a request, and ends the wait for it where that is an
// ending.
func (a *Awaiting) take(change Change) {
	name := change.Object.Name
	a.mutex.Lock()
	e := a.expected[name]
	a.mutex.Unlock()
	if e == nil {
		return
	}
	closedErr := request.CheckOpen(change.Object)
	switch {
	case change.Object.UID != e.uid && change.Deleted:
		// Another object of that name, from before.
	case change.Object.UID != e.uid:
		a.end(name, e, Ending{Name: name, Err: replacedWhileAwaited(change.Object)})
	case closedErr != nil:
		a.end(name, e, Ending{Name: name, Err: closedErr})
	case request.StateOf(change.Object) == request.Issued:
		a.end(name, e, Ending{Name: name, Object: change.Object})
	case change.Deleted:
		a.end(name, e, Ending{Name: name, Err: deletedWhileAwaited(name)})
	}
}

// end hands an ending over, if nobody has ended the wait meanwhile.
func (a *Awaiting) end(name string, e *expected, ending Ending) {
	a.mutex.Lock()
	isFirst := a.expected[name] == e
	if isFirst {
		delete(a.expected, name)
	}
	a.mutex.Unlock()
	if !isFirst {
		return
	}
	ending.Place = e.place
	select {
	case a.ended <- ending:
	case <-a.ctx.Done():
	}
}
