package requests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Query says which requests to list. The API server leaves the others out.
type Query struct {
	// AllSigners takes requests for every signer.
	AllSigners bool
	// Signer is whose requests are taken otherwise. Optional; the program's own if
	// empty.
	Signer string
	// Labels is a label selector, which is the requesters' word only. Optional.
	Labels string
}

func (q Query) options() metav1.ListOptions {
	options := metav1.ListOptions{LabelSelector: q.Labels}
	if !q.AllSigners {
		options.FieldSelector = fields.OneTermEqualSelector("spec.signerName", cmp.Or(q.Signer, request.Signer)).String()
	}
	return options
}

const (
	// provenStream is how long a stream lasts at least that did not just break
	// off, so that the next may be asked for without a growing pause.
	provenStream = 5 * time.Second
	// mostExpired bounds how often in a row a watch is begun that the server
	// answers with 410 Gone, from the version that it named just before.
	mostExpired = 8
)

const listing = "list certificate signing requests"

// EachPage hands over the requests of a query, page after page in the order of
// their names, and returns the list's resourceVersion, from which Watch continues.
// visit may keep what it is given. Where a list takes longer than the server
// keeps its version, the rest is of a newer one.
func (c *Client) EachPage(ctx context.Context, query Query, visit func([]*request.Request)) (resourceVersion string, _ error) {
	resourceVersion, err := c.eachPage(ctx, query, visit)
	return resourceVersion, c.api.Explain(ctx, err, listing)
}

func (c *Client) eachPage(ctx context.Context, query Query, visit func([]*request.Request)) (resourceVersion string, _ error) {
	return connection.EachPage(ctx, c.api, query.options(), c.api.Requests.List, func(page *certificatesv1.CertificateSigningRequestList) { visit(requestsIn(page)) })
}

// Each is EachPage, object by object.
func (c *Client) Each(ctx context.Context, query Query, visit func(*request.Request)) error {
	_, err := c.EachPage(ctx, query, func(page []*request.Request) {
		for _, one := range page {
			visit(one)
		}
	})
	return err
}

func requestsIn(page *certificatesv1.CertificateSigningRequestList) []*request.Request {
	found := make([]*request.Request, len(page.Items))
	for i := range page.Items {
		found[i] = request.Of(&page.Items[i])
	}
	return found
}

// Change is one version of an object, as a watch sees it.
type Change struct {
	// Object is the object as it is now, or as it was last.
	Object *request.Request
	// Deleted says that it is gone.
	Deleted bool
}

// Watch hands over each change of the requests of a query from a
// resourceVersion on, until visit wants no more (nil) or the context ends, which
// is an outcome. Breaking connections are made again; where the server has dropped the changes in
// between, the requests are listed again and handed over as they are now, and
// those that are gone by then are not missed by anybody. trouble is told why the
// server cannot be asked just now, also where that list fails. A server that drops the version of
// each list before it can be watched is an error.
func (c *Client) Watch(ctx context.Context, query Query, resourceVersion string, visit func(Change) (goOn bool), trouble func(error)) error {
	const watching = "watch certificate signing requests"
	next := c.pause
	told := ""
	expired := 0
	for {
		begin, from, doing := c.api.Now(), resourceVersion, watching
		err := c.follow(ctx, query, &resourceVersion, visit)
		if resourceVersion != from {
			expired = 0
		}
		isExpired := connection.IsExpired(err)
		if isExpired {
			if expired++; expired > mostExpired {
				return fmt.Errorf("could not %s: %s answers with 410 Gone each time, also from the version that it listed just before (%d times)", doing, c.api.Server, expired)
			}
			doing = listing
			if err = c.listAgain(ctx, query, &resourceVersion, visit); err != nil && !connection.IsExpired(err) {
				// It listed no version that it could have dropped.
				expired--
			}
		}
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return c.api.Explain(ctx, ctx.Err(), watching)
		case err != nil && !connection.IsTransient(err):
			return c.api.Explain(ctx, err, doing)
		case err != nil && err.Error() != told:
			told = err.Error()
			trouble(err)
		case err == nil && !isExpired && c.api.Now().Sub(begin) > provenStream:
			next, told, expired = c.pause, "", 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(next.Step()):
		}
	}
}

// listAgain hands over the requests as they are now, and moves the resourceVersion to where a
// watch continues from.
func (c *Client) listAgain(ctx context.Context, query Query, resourceVersion *string, visit func(Change) (goOn bool)) error {
	goOn := true
	listed, err := c.eachPage(ctx, query, func(page []*request.Request) {
		for _, one := range page {
			goOn = goOn && visit(Change{Object: one})
		}
	})
	switch {
	case !goOn:
		return errEnough
	case err != nil:
		return err
	}
	*resourceVersion = listed
	return nil
}

// Stream hands over each change of the requests of a query after a resourceVersion, until the
// server ends the stream or has dropped those changes, which is not an error, or the context ends. List
// again and continue from there: unlike Watch, it leaves to the caller what was deleted meanwhile.
func (c *Client) Stream(ctx context.Context, query Query, resourceVersion string, visit func(Change)) error {
	err := c.follow(ctx, query, &resourceVersion, func(change Change) bool { visit(change); return true })
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if connection.IsExpired(err) {
		return nil
	}
	return c.api.Explain(ctx, err, "watch certificate signing requests")
}

// errEnough ends a stream because nobody wants more of it.
var errEnough = errors.New("enough")

// follow reads one stream until it breaks off, and moves the resourceVersion on.
func (c *Client) follow(ctx context.Context, query Query, resourceVersion *string, visit func(Change) (goOn bool)) error {
	options := query.options()
	options.ResourceVersion = *resourceVersion
	options.AllowWatchBookmarks = true
	stream, err := c.api.WatchRequests(ctx, options)
	if err != nil {
		return err
	}
	defer stream.Close()
	for event := range stream.ResultChan() {
		object, isRequest := event.Object.(*certificatesv1.CertificateSigningRequest)
		if !isRequest {
			return cmp.Or(stream.TooLarge(), apierrors.FromObject(event.Object))
		}
		stream.Took()
		*resourceVersion = object.ResourceVersion
		if event.Type != watch.Bookmark && !visit(Change{Object: request.Of(object), Deleted: event.Type == watch.Deleted}) {
			return errEnough
		}
	}
	return stream.TooLarge()
}
