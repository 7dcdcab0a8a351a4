package connection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// What an API server answers is bounded here, for every connection: how
// large an answer is, and how long it has a client wait before it asks again.

const (
	// largestAnswer bounds one answer, decompressed, in bytes. A page that holds more
	// is asked for in smaller ones (see EachPage), and one object has at most
	// 1.5 MiB in etcd (its --max-request-bytes).
	largestAnswer = 64 << 20
	// largestEvent bounds one event of a watch, which holds one object.
	largestEvent = 8 << 20
	// LongestRetryAfter caps a server's Retry-After.
	LongestRetryAfter = 30 * time.Second
)

// tooLargeError is the error of an answer beyond its bound.
type tooLargeError struct{ bound string }

func (e tooLargeError) Error() string { return "the answer has more than " + e.bound }

func isTooLarge(err error) bool {
	var tooLarge tooLargeError
	return errors.As(err, &tooLarge)
}

// boundedAnswers is a transport whose answers are bounded. It has to be next to the
// connection, where bodies are decompressed already (net/http Transport).
type boundedAnswers struct{ next http.RoundTripper }

func boundAnswers(next http.RoundTripper) http.RoundTripper { return &boundedAnswers{next} }

// RoundTrip implements http.RoundTripper.
func (b *boundedAnswers) RoundTrip(call *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(call)
	if err != nil {
		return nil, err
	}
	capRetryAfter(answer.Header)
	if err := checkType(call.Header, answer); err != nil {
		return nil, errors.Join(err, answer.Body.Close())
	}
	metered, isStream := call.Context().Value(meterKey{}).(*meter)
	switch {
	case isStream:
		// Events in protobuf are messages with a length, which client-go bounds.
	case isJSON(answer.Header), call.Header.Get("Accept") == TextType:
		metered = &meter{most: largestAnswer}
	default:
		answer.Body = &protobufBody{Closer: answer.Body, unread: meteredBody{answer.Body, &meter{most: largestAnswer}, false}}
		return answer, nil
	}
	answer.Body = meteredBody{answer.Body, metered, isJSON(answer.Header)}
	return answer, nil
}

// WrappedRoundTripper is what client-go looks for to reach the connections (see
// CloseIdle).
func (b *boundedAnswers) WrappedRoundTripper() http.RoundTripper { return b.next }

// capRetryAfter keeps a server from holding up a client for longer than
// LongestRetryAfter. client-go reads seconds only (rest.retryAfterSeconds).
func capRetryAfter(header http.Header) {
	const name = "Retry-After"
	text := header.Get(name)
	if text == "" {
		return
	}
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 && seconds <= int(LongestRetryAfter/time.Second) {
		return
	}
	header.Set(name, strconv.Itoa(int(LongestRetryAfter/time.Second)))
}

// meter counts what is read of an answer, and of a watch since its last event.
type meter struct {
	// most is how many bytes may be read.
	most         int64
	read, values atomic.Int64
}

// meterKey is where the context of a watch holds its meter.
type meterKey struct{}

func withMeter(ctx context.Context, m *meter) context.Context {
	return context.WithValue(ctx, meterKey{}, m)
}

// restart begins with the next event.
func (m *meter) restart() {
	m.read.Store(0)
	m.values.Store(0)
}

// err is the error of an answer that is beyond its bound.
func (m *meter) err() error {
	switch {
	case m.read.Load() > m.most:
		return tooLargeError{fmt.Sprintf("%d MiB", m.most>>20)}
	case m.values.Load() > mostValues:
		return tooManyValues()
	}
	return nil
}

func tooManyValues() error { return tooLargeError{fmt.Sprintf("%d values", mostValues)} }

// meteredBody is the body of an answer that ends with an error at its bound.
type meteredBody struct {
	io.ReadCloser
	meter  *meter
	isJSON bool
}

func (b meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.meter.read.Add(int64(n))
	if b.isJSON {
		b.meter.values.Add(jsonValues(p[:n]))
	}
	if tooLargeErr := b.meter.err(); tooLargeErr != nil {
		return 0, tooLargeErr
	}
	return n, err
}

// protobufBody is a body in protobuf, whose values can be counted only when all of it is
// there.
type protobufBody struct {
	io.Closer
	unread io.Reader
	whole  *bytes.Reader
}

func (b *protobufBody) Read(p []byte) (int, error) {
	if b.whole == nil {
		data, err := io.ReadAll(b.unread)
		if err != nil {
			return 0, err
		}
		if protobufValues(bytes.TrimPrefix(data, []byte(protobufMagic)), protobufDepth, mostValues) > mostValues {
			return 0, tooManyValues()
		}
		b.whole = bytes.NewReader(data)
	}
	return b.whole.Read(p)
}
