package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// streamTime is how long the server is asked to keep one stream open. A stream that has
// silently died is noticed by then at the latest.
const streamTime = 5 * time.Minute

// Stream is one watch. Its events are bounded, and so is the time that the
// server takes to answer and keeps it open.
type Stream struct {
	watch.Interface

	meter  *meter
	cancel context.CancelFunc
}

// Watcher is a typed client of one kind of objects.
type Watcher interface {
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// WatchRequests opens a stream of certificate signing requests.
func (c *Connection) WatchRequests(ctx context.Context, options metav1.ListOptions) (*Stream, error) {
	return c.Watch(ctx, c.Requests, options)
}

// Watch opens a stream of the objects of a client.
func (c *Connection) Watch(ctx context.Context, objects Watcher, options metav1.ListOptions) (*Stream, error) {
	seconds := int64(streamTime / time.Second)
	options.TimeoutSeconds = &seconds
	ctx, cancel := context.WithTimeout(ctx, streamTime+c.timeout)
	s := &Stream{meter: &meter{most: largestEvent}, cancel: cancel}
	notAnswered := time.AfterFunc(c.timeout, cancel)
	var err error
	s.Interface, err = objects.Watch(withMeter(ctx, s.meter), options)
	isInTime := notAnswered.Stop()
	switch {
	case err == nil:
		return s, nil
	case !isInTime && errors.Is(err, context.Canceled):
		err = fmt.Errorf("%s did not answer within %s", c.Server, c.timeout)
	}
	cancel()
	return nil, err
}

// Close ends the stream.
func (s *Stream) Close() {
	s.Stop()
	s.cancel()
}

// Took has to be called for each event that was taken from the stream.
func (s *Stream) Took() { s.meter.restart() }

// TooLarge returns why the stream broke off, if it was for an event that is too large.
func (s *Stream) TooLarge() error { return s.meter.err() }

// IsExpired reports whether a server has dropped the changes after a version, so that what is
// watched has to be listed again.
func IsExpired(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }

// WatchEach reads one stream of the objects of a client until it ends, and returns nil where the
// server ends it, or has dropped the changes after its version meanwhile. explain says in words
// what else ends it. opened is called when the server has agreed; nil is nothing to call. visit
// reports whether it knows the object, and its error ends the stream as it is.
func (c *Connection) WatchEach(ctx context.Context, objects Watcher, options metav1.ListOptions, explain func(error) error, opened func(), visit func(object runtime.Object, isDeleted bool) (isKnown bool, _ error)) error {
	stream, err := c.Watch(ctx, objects, options)
	if err != nil {
		return explain(err)
	}
	defer stream.Close()
	if opened != nil {
		opened()
	}
	for {
		select {
		case <-ctx.Done():
			return explain(ctx.Err())
		case event, isOpen := <-stream.ResultChan():
			if !isOpen {
				return stream.TooLarge()
			}
			isKnown := event.Type != watch.Error
			if isKnown {
				if isKnown, err = visit(event.Object, event.Type == watch.Deleted); err != nil {
					return err
				}
			}
			if !isKnown {
				err := errors.Join(stream.TooLarge(), apierrors.FromObject(event.Object))
				if IsExpired(err) {
					return nil
				}
				return explain(err)
			}
			stream.Took()
		}
	}
}
