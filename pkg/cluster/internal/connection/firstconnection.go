package connection

import (
	"net/http"
	"net/http/httptrace"
	"sync"
)

// firstConnection lets the first call connect. Calls that start meanwhile wait for its
// connection and share it (HTTP/2). Without this, calls that start together each do a TLS
// handshake, and all but one of the connections are then of no use.
//
// The benchmark one-user (bench/compare/oneuser.go) measures it: see docs/performance.md,
// "One user".
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
		letOthersConnect := sync.OnceFunc(func() { close(f.connected) })
		defer letOthersConnect()
		trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { letOthersConnect() }}
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
