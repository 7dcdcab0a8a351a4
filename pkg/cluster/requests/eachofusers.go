package requests

import (
	"context"
	"runtime"
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/parallel"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// EachOfUsers hands over every request of a query with the users it is for (see
// request.UsersOf), in the order of their names. No label narrows it down: the creator of a
// request chooses its labels, so that a wrong one would hide it.
func (c *Client) EachOfUsers(ctx context.Context, query Query, visit func(object *certificatesv1.CertificateSigningRequest, users []string)) error {
	_, err := EachPrepared(ctx, c, query, request.UsersOf, visit)
	return err
}

// EachPrepared hands over every request of a query, in the order of their names, with what
// was prepared of it, which is most of the work: a page is prepared side by side, while the
// next one is on its way. The resourceVersion is that of EachPage.
func EachPrepared[T any](ctx context.Context, c *Client, query Query, prepare func(*certificatesv1.CertificateSigningRequest) T, visit func(*certificatesv1.CertificateSigningRequest, T)) (resourceVersion string, _ error) {
	pages := make(chan []certificatesv1.CertificateSigningRequest, 1)
	var preparing sync.WaitGroup
	preparing.Go(func() {
		for page := range pages {
			objects := make([]*certificatesv1.CertificateSigningRequest, len(page))
			for i := range page {
				objects[i] = &page[i]
			}
			for i, prepared := range parallel.Map(runtime.GOMAXPROCS(0), objects, prepare) {
				visit(objects[i], prepared)
			}
		}
	})
	resourceVersion, err := c.EachPage(ctx, query, func(page []certificatesv1.CertificateSigningRequest) { pages <- page })
	close(pages)
	preparing.Wait()
	return resourceVersion, err
}
