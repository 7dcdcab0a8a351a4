package connection

import (
	"net/http"
	"net/http/httptrace"
	"sync"
)

// firstConnection lets one call connect, and has those that begin meanwhile wait for
// it: over HTTP/2 they share its connection, where otherwise each would greet the
// server for itself, only to learn that one greeting was enough.
type firstConnection struct {
	next http.RoundTripper
	// once is taken by the first call, and connected is closed when it has its
	// connection, or has failed to get one.
	once      sync.Once
	connected chan struct{}
}

func shareFirstConnection(next http.RoundTripper) http.RoundTripper {
	return &firstConnection{next: next, connected: make(chan struct{})}
}

// RoundTrip implements http.RoundTripper.
func (f *firstConnection) RoundTrip(call *http.Request) (*http.Response, error) {
	isFirst := false
	f.once.Do(func() { isFirst = true })
	if isFirst {
		open := sync.OnceFunc(func() { close(f.connected) })
		defer open()
		trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { open() }}
		return f.next.RoundTrip(call.WithContext(httptrace.WithClientTrace(call.Context(), trace)))
	}
	select {
	case <-f.connected:
	case <-call.Context().Done():
		return nil, call.Context().Err()
	}
	return f.next.RoundTrip(call)
}

// WrappedRoundTripper is what client-go looks for to reach the connections (see
// CloseIdle).
func (f *firstConnection) WrappedRoundTripper() http.RoundTripper { return f.next }
