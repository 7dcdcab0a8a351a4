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
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Sighting is what a waiting person is told on the way.
type Sighting struct {
	// Object is the request as it was last seen.
	Object *request.Request
	// Unsigned says that the request has been approved for a while and no
	// signer has answered.
	Unsigned bool
	// Trouble is why the server could not be asked just now; the wait continues.
	Trouble error
}

const (
	// pollInterval is how often an identity that may get and not watch asks.
	pollInterval = time.Second
	// signerPatience is how long a signer normally has answered by: the
	// controller manager takes milliseconds, and seconds when many are waiting.
	signerPatience = 5 * time.Second
)

// Await waits until the request has its certificate and returns it then. It
// starts from an object that the caller holds, so that nothing which happens
// from there on is missed, and tells of each change of state.
//
// The wait ends with an outcome.ErrRejected when the request is denied or
// failed, ErrNotFound when it is deleted, ErrChanged when another object took
// its name, ErrTimedOut and ErrInterrupted when the context ends, and with a
// plain error when the server refuses to answer. Servers that are away for a
// while are waited for.
func (c *Client) Await(ctx context.Context, from *request.Request, tell func(Sighting)) (*request.Request, error) {
	return (&waiting{client: c, from: from, last: from, tell: tell}).await(ctx)
}

// Following is a watch of one request that is opened before somebody waits for it.
type Following struct {
	client *Client
	opened chan openedWatch
	end    context.CancelFunc
}

// openedWatch is a watch, or why there is none.
type openedWatch struct {
	stream *connection.Stream
	err    error
}

// Follow opens a watch of a request, from its version on, while something else is done about
// the request. Stop has to be called.
func (c *Client) Follow(ctx context.Context, from *request.Request) *Following {
	ctx, cancel := context.WithCancel(ctx)
	f := &Following{client: c, opened: make(chan openedWatch, 1), end: cancel}
	go func() {
		stream, err := c.open(ctx, from)
		f.opened <- openedWatch{stream, err}
	}()
	return f
}

// Stop ends the watch.
func (f *Following) Stop() { f.end() }

// Await is Await of the client, over the watch that is open.
func (f *Following) Await(ctx context.Context, from *request.Request, tell func(Sighting)) (*request.Request, error) {
	return (&waiting{client: f.client, from: from, last: from, tell: tell, following: f}).await(ctx)
}

// open opens a watch of a request from its version on.
func (c *Client) open(ctx context.Context, from *request.Request) (*connection.Stream, error) {
	return c.api.WatchRequests(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector("metadata.name", from.Name).String(),
		ResourceVersion: from.ResourceVersion,
	})
}

func (w *waiting) await(ctx context.Context) (*request.Request, error) {
	issued, err := w.run(ctx)
	switch endedErr := connection.ContextOutcome(ctx); {
	case err == nil:
		return issued, nil
	case errors.Is(err, outcome.ErrRejected), errors.Is(err, outcome.ErrNotFound), errors.Is(err, outcome.ErrChanged):
		// An ending of the request's own, whatever the clock says by now.
		return nil, err
	case endedErr != nil:
		return nil, w.ended(endedErr)
	}
	return nil, err
}

// waiting is one wait for one object.
type waiting struct {
	client   *Client
	from     *request.Request
	last     *request.Request
	tell     func(Sighting)
	unsigned *time.Timer
	// following is a watch that is open already; nil where there is none, or it was taken.
	following *Following
}

func (w *waiting) run(ctx context.Context) (*request.Request, error) {
	next := w.client.pause
	mayWatch, expired := true, 0
	told := ""
	w.unsigned = time.NewTimer(signerPatience)
	w.unsigned.Stop()
	defer w.unsigned.Stop()

	if issued, err := w.judge(w.from, true); issued || err != nil {
		return w.last, err
	}
	for {
		if mayWatch {
			begin, from := w.client.api.Now(), w.last
			issued, endingErr, troubleErr := w.watch(ctx)
			if w.last != from {
				expired = 0
			}
			switch {
			case issued || endingErr != nil:
				return w.last, endingErr
			case apierrors.IsForbidden(troubleErr):
				mayWatch = false
			case connection.IsExpired(troubleErr):
				// A server that never keeps the version that it gave is asked as one
				// that may not be watched.
				expired++
				mayWatch = expired <= mostExpired
			case troubleErr != nil && !connection.IsTransient(troubleErr):
				return nil, w.client.api.Explain(ctx, troubleErr, w.doing())
			case troubleErr == nil && w.client.api.Now().Sub(begin) > provenStream:
				// It was a stream; a server that ends each at once is not asked
				// without a pause.
				next = w.client.pause
			}
		}
		interval := next.Step()
		if !mayWatch {
			interval = pollInterval
		}
		if err := w.sleep(ctx, interval); err != nil {
			return nil, err
		}
		object, err := w.client.get(ctx, w.from.Name)
		switch {
		case err == nil:
			if issued, err := w.judge(object, false); issued || err != nil {
				return w.last, err
			}
		case apierrors.IsNotFound(err):
			return nil, w.deleted()
		case !connection.IsTransient(err):
			return nil, w.client.api.Explain(ctx, err, w.doing())
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err.Error() != told:
			told = err.Error()
			w.tell(Sighting{Object: w.last, Trouble: err})
		}
	}
}

func (w *waiting) doing() string {
	return fmt.Sprintf("watch the certificate signing request %q", w.from.Name)
}

// watch follows the object from the version last seen until the certificate is
// there, an ending is reached, or the stream breaks off: with trouble, or without
// where its time is up.
func (w *waiting) watch(ctx context.Context) (issued bool, endingErr, troubleErr error) {
	stream, err := w.open(ctx)
	if err != nil {
		return false, nil, err
	}
	defer stream.Close()
	for {
		select {
		case <-ctx.Done():
			return false, nil, nil
		case <-w.unsigned.C:
			w.tell(Sighting{Object: w.last, Unsigned: true})
		case event, open := <-stream.ResultChan():
			if !open {
				return false, nil, stream.TooLarge()
			}
			object, isRequest := event.Object.(*certificatesv1.CertificateSigningRequest)
			if !isRequest {
				// An error, mostly 410 Gone: get the object afresh.
				return false, nil, cmp.Or(stream.TooLarge(), apierrors.FromObject(event.Object))
			}
			stream.Took()
			issued, endingErr := w.judge(w.from.With(object), false)
			if issued || endingErr != nil {
				return issued, endingErr, nil
			}
			if event.Type == watch.Deleted {
				return false, w.deletedOrReplaced(ctx), nil
			}
		}
	}
}

// open opens a watch, or takes the one that is open.
func (w *waiting) open(ctx context.Context) (*connection.Stream, error) {
	if w.following == nil {
		return w.client.open(ctx, w.last)
	}
	following := w.following
	w.following = nil
	select {
	case taken := <-following.opened:
		return taken.stream, taken.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// judge takes in a version of the object: issued is true when its certificate
// is there, and an error is an ending.
func (w *waiting) judge(object *request.Request, first bool) (issued bool, _ error) {
	if object.UID != w.from.UID {
		return false, replacedWhileAwaited(object)
	}
	if request.StateOf(object) == request.Pending && request.StateOf(w.last) == request.Approved {
		// An older version: a decision cannot be taken back.
		return false, nil
	}
	changed := first || request.StateOf(object) != request.StateOf(w.last)
	w.last = object
	if err := request.CheckOpen(object); err != nil {
		return false, err
	}
	state := request.StateOf(object)
	if state == request.Issued {
		return true, nil
	}
	if changed {
		if state == request.Approved {
			w.unsigned.Reset(signerPatience)
		}
		w.tell(Sighting{Object: object})
	}
	return false, nil
}

// deletedOrReplaced looks whether another object has taken the deleted one's
// name, which its user should know.
func (w *waiting) deletedOrReplaced(ctx context.Context) error {
	if object, err := w.client.get(ctx, w.from.Name); err == nil {
		if _, replacedErr := w.judge(object, false); replacedErr != nil {
			return replacedErr
		}
	}
	return w.deleted()
}

func (w *waiting) deleted() error { return deletedWhileAwaited(w.from.Name) }

func deletedWhileAwaited(name string) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrNotFound, "certificate signing request %q was deleted while waiting for it", name),
		"submit it again with the same key: run new-user again")
}

func replacedWhileAwaited(by *request.Request) error {
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "certificate signing request %q was deleted and recreated by %q", by.Name, by.Spec.Username),
		"nothing of the new one was used; ask the administrator what happened")
}

// ended says how far the request was when the context ended.
func (w *waiting) ended(howErr error) error {
	state := "nobody has decided about it yet"
	if request.StateOf(w.last) == request.Approved {
		state = "it is approved, but no signer has answered"
	}
	return outcome.Errorf(howErr, "%w while waiting for certificate signing request %q: %s", howErr, w.from.Name, state)
}

func (w *waiting) sleep(ctx context.Context, duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.unsigned.C:
			w.tell(Sighting{Object: w.last, Unsigned: true})
		case <-timer.C:
			return nil
		}
	}
}
