package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// watcher is a typed client of one kind of objects.
type watcher interface {
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// WatchRequests opens a stream of certificate signing requests.
func (c *Connection) WatchRequests(ctx context.Context, options metav1.ListOptions) (*Stream, error) {
	return c.Watch(ctx, c.Requests, options)
}

// Watch opens a stream of the objects of a client.
func (c *Connection) Watch(ctx context.Context, objects watcher, options metav1.ListOptions) (*Stream, error) {
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
