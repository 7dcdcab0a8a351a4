package requests

import (
	"context"
	"runtime"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// EachOfUsers hands over every request of a query with the users it is for (see
// request.UsersOf), in the order of their names. No label narrows it down: the creator of a
// request chooses its labels, so that a wrong one would hide it.
func (c *Client) EachOfUsers(ctx context.Context, query Query, visit func(object *request.Request, users []string)) error {
	_, err := EachPrepared(ctx, c, query, request.UsersOf, visit)
	return err
}

// EachPrepared hands over every request of a query, in the order of their names, with what
// was prepared of it, which is most of the work: a page is prepared side by side, while the
// next one is on its way. The resourceVersion is that of EachPage.
func EachPrepared[T any](ctx context.Context, c *Client, query Query, prepare func(*request.Request) T, visit func(*request.Request, T)) (resourceVersion string, _ error) {
	pages := make(chan []*request.Request, 1)
	var preparing sync.WaitGroup
	preparing.Go(func() {
		for page := range pages {
			for i, prepared := range parallel.Map(runtime.GOMAXPROCS(0), page, prepare) {
				visit(page[i], prepared)
			}
		}
	})
	resourceVersion, err := c.EachPage(ctx, query, func(page []*request.Request) { pages <- page })
	close(pages)
	preparing.Wait()
	return resourceVersion, err
}
