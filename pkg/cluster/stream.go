package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// streamTime is how long the server is asked to keep one stream open. A
	// stream that has silently died is noticed by then at the latest.
	streamTime = 5 * time.Minute
	// provenStream is how long a stream lasts at least that did not just break
	// off, so that the next may be asked for without a growing pause.
	provenStream = 5 * time.Second
	// mostExpired bounds how often in a row a watch is begun that the server
	// answers with 410 Gone, from the version that it named just before.
	mostExpired = 8
)

// stream is one watch of requests. Its events are bounded, and so is the time that the
// server takes to answer and keeps it open.
type stream struct {
	watch.Interface

	meter  *meter
	cancel context.CancelFunc
}

func (c *Client) openStream(ctx context.Context, options metav1.ListOptions) (*stream, error) {
	seconds := int64(streamTime / time.Second)
	options.TimeoutSeconds = &seconds
	ctx, cancel := context.WithTimeout(ctx, streamTime+c.answerTimeout)
	s := &stream{meter: &meter{most: largestEvent}, cancel: cancel}
	notAnswered := time.AfterFunc(c.answerTimeout, cancel)
	var err error
	s.Interface, err = c.requests.Watch(withMeter(ctx, s.meter), options)
	isInTime := notAnswered.Stop()
	switch {
	case err == nil:
		return s, nil
	case !isInTime && errors.Is(err, context.Canceled):
		err = fmt.Errorf("%s did not answer within %s", c.endpoint.Server, c.answerTimeout)
	}
	cancel()
	return nil, err
}

// close ends the stream.
func (s *stream) close() {
	s.Stop()
	s.cancel()
}

// took says that an event was taken from the stream.
func (s *stream) took() { s.meter.restart() }

// tooLarge returns why the stream broke off, if it was for an event that is too large.
func (s *stream) tooLarge() error { return s.meter.err() }
