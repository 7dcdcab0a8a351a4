package cluster

import (
	"context"
	"runtime"
	"sync"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// EachOfUsers hands over every request of a query with the users it is for (see
// request.UsersOf), in the order of their names. No label narrows it down: whoever
// creates a request chooses its labels, so that a wrong one would hide it.
func (c *Client) EachOfUsers(ctx context.Context, query Query, visit func(object *certificatesv1.CertificateSigningRequest, users []string)) error {
	// While one page is decoded, the next is on its way.
	pages := make(chan []certificatesv1.CertificateSigningRequest, 1)
	var decoding sync.WaitGroup
	decoding.Go(func() {
		for page := range pages {
			for i, users := range usersOfEach(page) {
				visit(&page[i], users)
			}
		}
	})
	_, err := c.EachPage(ctx, query, func(page []certificatesv1.CertificateSigningRequest) { pages <- page })
	close(pages)
	decoding.Wait()
	return err
}

// usersOfEach is request.UsersOf of each object, by one worker a processor.
func usersOfEach(page []certificatesv1.CertificateSigningRequest) [][]string {
	users := make([][]string, len(page))
	workers := runtime.GOMAXPROCS(0)
	var working sync.WaitGroup
	for worker := range workers {
		working.Go(func() {
			for i := worker; i < len(page); i += workers {
				users[i] = request.UsersOf(&page[i])
			}
		})
	}
	working.Wait()
	return users
}
