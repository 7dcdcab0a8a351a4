package connection

import (
	"net/http"
	"time"
)

// Call is one HTTP call to the API server, without its body and its headers, which may hold
// credentials.
type Call struct {
	// Method and Path are those of the request. Path has the query.
	Method, Path string
	// Status is the HTTP status code; 0 where Err says why no answer came.
	Status   int
	Err      error
	Duration time.Duration
	// AuditID is what the API server calls the request in its audit log; "" if it does not say.
	AuditID string
}

// tracing reports each call when its answer begins.
type tracing struct {
	next  http.RoundTripper
	trace func(Call)
	now   func() time.Time
}

// traceCalls wraps a transport so that trace gets each call.
func traceCalls(trace func(Call), now func() time.Time) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		if trace == nil {
			return next
		}
		return &tracing{next: next, trace: trace, now: now}
	}
}

func (t *tracing) RoundTrip(request *http.Request) (*http.Response, error) {
	begin := t.now()
	response, err := t.next.RoundTrip(request)
	call := Call{Method: request.Method, Path: request.URL.RequestURI(), Err: err, Duration: t.now().Sub(begin)}
	if err == nil {
		call.Status, call.AuditID = response.StatusCode, response.Header.Get("Audit-Id")
	}
	t.trace(call)
	return response, err
}

// WrappedRoundTripper lets client-go find the transport below (k8s.io/apimachinery net.RoundTripperWrapper).
func (t *tracing) WrappedRoundTripper() http.RoundTripper { return t.next }
