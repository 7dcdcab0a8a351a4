package requests

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// faultyServer answers requests for one object from two scripts, one for gets
// and one for watches; the last answer of each is given again and again. It
// stands in for faults that a real API server cannot be made to have.
type faultyServer struct {
	mutex         sync.Mutex
	gets, watches []http.HandlerFunc
	asked         []string
}

func (f *faultyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mutex.Lock()
	script, kind := &f.gets, "get"
	if r.URL.Query().Get("watch") != "" {
		script, kind = &f.watches, "watch"
	}
	answer := (*script)[0]
	if len(*script) > 1 {
		*script = (*script)[1:]
	}
	f.asked = append(f.asked, kind)
	f.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	answer(w, r)
}

func object(uid string, conditions ...certificatesv1.RequestConditionType) *request.Request {
	o := &certificatesv1.CertificateSigningRequest{
		TypeMeta:   metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequest"},
		ObjectMeta: metav1.ObjectMeta{Name: "jane-x", UID: "uid-1", ResourceVersion: "1"},
	}
	if uid != "" {
		o.UID = "uid-2"
	}
	for _, condition := range conditions {
		o.Status.Conditions = append(o.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: condition, Status: corev1.ConditionTrue, Reason: "R"})
	}
	return request.Of(o)
}

func issued() *request.Request {
	o := object("", certificatesv1.CertificateApproved)
	o.Status.Certificate = []byte("certificate")
	return o
}

func gives(o any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(o) }
}

func fails(code int, reason metav1.StatusReason) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(status(code, reason))
	}
}

func status(code int, reason metav1.StatusReason) metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, //nolint:gosec // An HTTP code.
		Message: "by the script",
	}
}

// streams sends events and then closes the stream, or holds it open.
func streams(hold bool, events ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, event := range events {
			_ = json.NewEncoder(w).Encode(event)
		}
		w.(http.Flusher).Flush()
		if hold {
			<-r.Context().Done()
		}
	}
}

func event(kind string, o any) any { return map[string]any{"type": kind, "object": o} }

func dropped(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func clientOf(t *testing.T, f *faultyServer) *Client {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	opened, err := connection.Open(connection.Settings{Config: &rest.Config{Host: server.URL}, UserAgent: "test", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return On(opened)
}

func awaitFrom(t *testing.T, f *faultyServer, timeout time.Duration) (*request.Request, []Sighting, error) {
	t.Helper()
	client := clientOf(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var sightings []Sighting
	got, err := client.Await(ctx, object(""), func(s Sighting) { sightings = append(sightings, s) })
	return got, sightings, err
}

func TestAwait_AWaitSurvivesWhatPasses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		about         string
		gets, watches []http.HandlerFunc
	}{
		{"the certificate comes by the watch", nil, []http.HandlerFunc{streams(true, event("MODIFIED", object("", certificatesv1.CertificateApproved)), event("MODIFIED", issued()))}},
		{"the stream ends and the get has it", []http.HandlerFunc{gives(issued())}, []http.HandlerFunc{streams(false)}},
		{"the resource version has expired", []http.HandlerFunc{gives(object("")), gives(issued())},
			[]http.HandlerFunc{streams(false, event("ERROR", status(http.StatusGone, metav1.StatusReasonExpired))), streams(false)}},
		{"410 Gone instead of a stream", []http.HandlerFunc{gives(issued())}, []http.HandlerFunc{fails(http.StatusGone, metav1.StatusReasonGone)}},
		{"connections are dropped", []http.HandlerFunc{dropped, dropped, gives(issued())}, []http.HandlerFunc{dropped, dropped, dropped, streams(false)}},
		{"the server fails within", []http.HandlerFunc{fails(500, metav1.StatusReasonInternalError), fails(503, metav1.StatusReasonServiceUnavailable), gives(issued())}, []http.HandlerFunc{fails(500, ""), fails(429, ""), streams(false)}},
		{"watching is forbidden", []http.HandlerFunc{gives(object("")), gives(issued())}, []http.HandlerFunc{fails(403, metav1.StatusReasonForbidden)}},
	} {
		t.Run(test.about, func(t *testing.T) {
			t.Parallel()
			f := &faultyServer{gets: append(test.gets, fails(404, metav1.StatusReasonNotFound)), watches: test.watches}
			got, _, err := awaitFrom(t, f, 30*time.Second)
			if err != nil {
				t.Fatalf("%v, after %q", err, f.asked)
			}
			if request.StateOf(got) != request.Issued {
				t.Errorf("the request is %s", request.StateOf(got))
			}
		})
	}
}

func TestAwait_AWatchThatIsOpenAlreadyBringsTheCertificate(t *testing.T) {
	t.Parallel()
	approved := object("", certificatesv1.CertificateApproved)
	for about, test := range map[string]struct {
		watches []http.HandlerFunc
		gets    []http.HandlerFunc
		asked   []string
	}{
		"which is all that is asked for": {
			[]http.HandlerFunc{streams(true, event("MODIFIED", object("")), event("MODIFIED", approved), event("MODIFIED", issued()))}, nil, []string{"watch"},
		},
		"or another, where it breaks off": {
			[]http.HandlerFunc{streams(false, event("MODIFIED", object(""))), streams(true, event("MODIFIED", issued()))},
			[]http.HandlerFunc{gives(approved)}, []string{"watch", "get", "watch"},
		},
		"or a get, where watching is forbidden": {
			[]http.HandlerFunc{fails(403, metav1.StatusReasonForbidden)}, []http.HandlerFunc{gives(issued())}, []string{"watch", "get"},
		},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			f := &faultyServer{gets: append(test.gets, fails(404, metav1.StatusReasonNotFound)), watches: test.watches}
			client := clientOf(t, f)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			following := client.Follow(ctx, object(""))
			defer following.Stop()
			var states []request.State
			got, err := following.Await(ctx, approved, func(s Sighting) { states = append(states, request.StateOf(s.Object)) })
			if err != nil {
				t.Fatalf("%v, after %q", err, f.asked)
			}
			if request.StateOf(got) != request.Issued {
				t.Errorf("the request is %s", request.StateOf(got))
			}
			if !slices.Equal(f.asked, test.asked) {
				t.Errorf("the server was asked for %q, not %q", f.asked, test.asked)
			}
			if !slices.Equal(states, []request.State{request.Approved}) {
				t.Errorf("told: %v", states)
			}
		})
	}
}

func TestAwait_AWaitEndsWithItsReason(t *testing.T) {
	t.Parallel()
	denied := object("", certificatesv1.CertificateDenied)
	denied.Status.Conditions[0].Message = "no\x1b[2J"
	for _, test := range []struct {
		about         string
		gets, watches []http.HandlerFunc
		want          error
		says          string
	}{
		{"denied", nil, []http.HandlerFunc{streams(true, event("MODIFIED", denied))}, outcome.ErrRejected, `was denied: no\x1b[2J`},
		{"failed", nil, []http.HandlerFunc{streams(true, event("MODIFIED", object("", certificatesv1.CertificateApproved, certificatesv1.CertificateFailed)))}, outcome.ErrRejected, "was failed: R"},
		{"deleted", nil, []http.HandlerFunc{streams(true, event("DELETED", object("")))}, outcome.ErrNotFound, "was deleted"},
		{"gone between two looks", nil, []http.HandlerFunc{streams(false)}, outcome.ErrNotFound, "was deleted"},
		{"replaced", []http.HandlerFunc{gives(object("another"))}, []http.HandlerFunc{streams(false)}, outcome.ErrChanged, "was deleted and recreated"},
		{"replaced, seen by the watch", nil, []http.HandlerFunc{streams(true, event("ADDED", object("another")))}, outcome.ErrChanged, "was deleted and recreated"},
		{"deleted and replaced at once", []http.HandlerFunc{gives(object("another"))}, []http.HandlerFunc{streams(true, event("DELETED", object("")))}, outcome.ErrChanged, "was deleted and recreated"},
		{"forbidden", []http.HandlerFunc{fails(403, metav1.StatusReasonForbidden)}, []http.HandlerFunc{fails(403, metav1.StatusReasonForbidden)}, nil, "you cannot watch"},
		{"not logged in any more", []http.HandlerFunc{fails(401, metav1.StatusReasonUnauthorized)}, []http.HandlerFunc{fails(401, metav1.StatusReasonUnauthorized)}, nil, "requires credentials"},
	} {
		t.Run(test.about, func(t *testing.T) {
			t.Parallel()
			f := &faultyServer{gets: append(test.gets, fails(404, metav1.StatusReasonNotFound)), watches: append(test.watches, streams(true))}
			_, _, err := awaitFrom(t, f, 30*time.Second)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}

func TestAwait_AWaitThatRunsOutSaysHowFarItGot(t *testing.T) {
	f := &faultyServer{gets: []http.HandlerFunc{gives(object(""))}, watches: []http.HandlerFunc{streams(true, event("MODIFIED", object("", certificatesv1.CertificateApproved)))}}
	_, sightings, err := awaitFrom(t, f, 300*time.Millisecond)
	if !errors.Is(err, outcome.ErrTimedOut) || !strings.Contains(err.Error(), "it is approved, but no signer has answered") {
		t.Errorf("%v", err)
	}
	if len(sightings) != 2 {
		t.Errorf("%d changes were told, want pending and approved", len(sightings))
	}
}
