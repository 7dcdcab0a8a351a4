package requests

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// These are the bounds of package connection.
const (
	mostValues   = 500_000
	largestEvent = 8 << 20
)

// hostileServer is a client of a server that answers as it likes, and waits for each answer
// for as long as timeout.
func hostileServer(t *testing.T, timeout time.Duration, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	opened, err := connection.Open(connection.Settings{Config: &rest.Config{Host: server.URL, Timeout: timeout}, UserAgent: "test", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	client := On(opened)
	client.pause.Duration = time.Millisecond
	return client
}

func page(w http.ResponseWriter, next string, names ...string) {
	list := certificatesv1.CertificateSigningRequestList{
		TypeMeta: metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequestList"},
		ListMeta: metav1.ListMeta{Continue: next, ResourceVersion: "1"},
	}
	for _, name := range names {
		list.Items = append(list.Items, certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	_ = json.NewEncoder(w).Encode(list)
}

func TestBounds_AListThatMakesNoProgressEnds(t *testing.T) {
	gone := func(next string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			answer := status(http.StatusGone, metav1.StatusReasonExpired)
			answer.Continue = next
			w.WriteHeader(http.StatusGone)
			_ = json.NewEncoder(w).Encode(answer)
		}
	}
	var asked atomic.Int64
	for _, test := range []struct {
		about  string
		answer http.HandlerFunc
		says   string
	}{
		{"the same token again", func(w http.ResponseWriter, _ *http.Request) { page(w, "again", "jane") }, "the same continue token twice"},
		{"two tokens in turn", func(w http.ResponseWriter, _ *http.Request) { page(w, fmt.Sprint(asked.Load()%2), "jane") }, "the same continue token twice"},
		{"new tokens and nothing", func(w http.ResponseWriter, _ *http.Request) { page(w, fmt.Sprint(asked.Load())) }, "without an object"},
		{"410 with the same token", gone("again"), "the same continue token twice"},
		{"410 with new tokens", func(w http.ResponseWriter, r *http.Request) { gone(fmt.Sprint(asked.Load()))(w, r) }, "without an object"},
	} {
		t.Run(test.about, func(t *testing.T) {
			asked.Store(0)
			client := hostileServer(t, 0, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				test.answer(w, r)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := client.EachPage(ctx, Query{}, func([]*request.Request) {})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("after %d questions: %v", asked.Load(), err)
			}
			if asked.Load() > 20 {
				t.Errorf("the server was asked %d times", asked.Load())
			}
		})
	}
}

func TestBounds_PagesBecomeSmallerWhereAnAnswerWouldBeTooLarge(t *testing.T) {
	var limits []string
	client := hostileServer(t, 0, func(w http.ResponseWriter, r *http.Request) {
		limit := r.URL.Query().Get("limit")
		limits = append(limits, limit)
		if len(limit) > 1 {
			_, _ = io.WriteString(w, "["+strings.Repeat("0,", mostValues+1)+"0]")
			return
		}
		if r.URL.Query().Get("continue") == "" {
			page(w, "next", "jane")
			return
		}
		page(w, "", "joe")
	})
	var names []string
	version, err := client.EachPage(t.Context(), Query{}, func(items []*request.Request) {
		for _, item := range items {
			names = append(names, item.Name)
		}
	})
	if err != nil || version != "1" || strings.Join(names, " ") != "jane joe" || strings.Join(limits, " ") != "500 62 7 7" {
		t.Errorf("%v: version %q, %q, in pages of %q", err, version, names, limits)
	}
}

// endless writes white space, which JSON allows, until nobody reads any more.
func endless(w io.Writer) {
	blank := []byte(strings.Repeat(" ", 1<<20))
	for {
		if _, err := w.Write(blank); err != nil {
			return
		}
	}
}

// packedTightly are answers of a megabyte or two that would be gigabytes of objects.
func packedTightly() map[string]http.HandlerFunc {
	json := func(item string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"kind":"CertificateSigningRequestList","apiVersion":"certificates.k8s.io/v1","items":[`+strings.Repeat(item+",", mostValues)+item+`]}`)
		}
	}
	protobuf := func(item string, raw func([]byte) []byte) http.HandlerFunc {
		list := raw(bytes.Repeat([]byte(item), mostValues))
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf")
			_, _ = w.Write(append([]byte("k8s\x00"+"\x0a\x2e\x0a\x16certificates.k8s.io/v1\x12\x14CertificateSigning..\x12"), list...))
		}
	}
	withLength := func(message []byte) []byte {
		return append(binary.AppendUvarint(nil, uint64(len(message))), message...)
	}
	nested := func(message []byte) []byte {
		// items[0].metadata.
		return withLength(append([]byte{0x12}, withLength(append([]byte{0x0a}, withLength(message)...))...))
	}
	return map[string]http.HandlerFunc{
		"empty objects in JSON":           json("{}"),
		"nulls in JSON":                   json("null"),
		"empty objects in protobuf":       protobuf("\x12\x00", withLength),
		"unknown fields in protobuf":      protobuf("\x12\x02\x78\x01", withLength),
		"groups before them, in protobuf": protobuf("\x1b\x1c\x12\x00", withLength),
		"managed fields in protobuf":      protobuf("\x8a\x01\x00", nested),
	}
}

func TestBounds_AnAnswerOfManyValuesIsNotDecoded(t *testing.T) {
	for about, answer := range packedTightly() {
		t.Run(about, func(t *testing.T) {
			client := hostileServer(t, time.Minute, answer)
			_, err := client.latestVersion(t.Context(), Query{})
			if err == nil || !strings.Contains(err.Error(), "more than 500000 values") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestBounds_AnAnswerInAnotherFormIsNotDecoded(t *testing.T) {
	code := http.StatusOK
	client := hostileServer(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: jane}\n")
	})
	if _, err := client.Get(t.Context(), "jane"); err == nil || !strings.Contains(err.Error(), "application/yaml") {
		t.Errorf("%v", err)
	}
	code = http.StatusForbidden
	if _, err := client.Get(t.Context(), "jane"); !apierrors.IsForbidden(err) {
		t.Errorf("an error: %v", err)
	}
}

func TestBounds_AWatchIsBounded(t *testing.T) {
	const never = time.Hour
	hold := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, test := range []struct {
		about   string
		answers time.Duration
		watch   http.HandlerFunc
		want    string
	}{
		{"an event without an end", never, func(w http.ResponseWriter, _ *http.Request) { endless(w) }, "more than 8 MiB"},
		{"an error without an end", never, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			endless(w)
		}, "more than 8 MiB"},
		{"no answer at all", 200 * time.Millisecond, hold, ""},
		{"later, in 63 years", 200 * time.Millisecond, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "2000000000")
			w.WriteHeader(http.StatusTooManyRequests)
		}, ""},
	} {
		t.Run(test.about, func(t *testing.T) {
			t.Parallel()
			client := hostileServer(t, test.answers, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("watch") != "" {
					test.watch(w, r)
					return
				}
				gives(issued())(w, r)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := client.Await(ctx, object(""), func(Sighting) {})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("a wait: %v", err)
			}
			if test.want == "" {
				return
			}
			err = client.Watch(ctx, Query{}, "1", func(Change) bool { return true }, func(error) {})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("a watch: %v", err)
			}
		})
	}
}

func TestBounds_ManyEventsAreNoLargeOne(t *testing.T) {
	const events = 12
	large := object("")
	large.Annotations = map[string]string{"a": strings.Repeat("x", largestEvent/10)}
	client := hostileServer(t, 0, func(w http.ResponseWriter, _ *http.Request) {
		for range events {
			_ = json.NewEncoder(w).Encode(event("MODIFIED", large))
		}
		w.(http.Flusher).Flush()
	})
	seen := 0
	err := client.Watch(t.Context(), Query{}, "1", func(Change) bool { seen++; return seen < events }, func(error) {})
	if err != nil || seen != events {
		t.Errorf("%d events, and %v", seen, err)
	}
}

func TestBounds_AWatchThatIsAlwaysExpiredEnds(t *testing.T) {
	t.Parallel()
	var watches atomic.Int64
	client := hostileServer(t, 0, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") == "" {
			page(w, "", "jane")
			return
		}
		watches.Add(1)
		fails(http.StatusGone, metav1.StatusReasonExpired)(w, r)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := client.Watch(ctx, Query{}, "1", func(Change) bool { return true }, func(error) {})
	if err == nil || !strings.Contains(err.Error(), "410 Gone") || watches.Load() != mostExpired+1 {
		t.Errorf("after %d watches: %v", watches.Load(), err)
	}
}

func TestBounds_AWaitWhoseWatchIsAlwaysExpiredGoesOnWithoutIt(t *testing.T) {
	t.Parallel()
	var watches, gets atomic.Int64
	client := hostileServer(t, 0, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "" {
			watches.Add(1)
			streams(false, event("ERROR", status(http.StatusGone, metav1.StatusReasonExpired)))(w, r)
			return
		}
		if gets.Add(1) > mostExpired+1 {
			gives(issued())(w, r)
			return
		}
		gives(object(""))(w, r)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := client.Await(ctx, object(""), func(Sighting) {})
	if err != nil || request.StateOf(got) != request.Issued || watches.Load() != mostExpired+1 {
		t.Errorf("after %d watches: %v", watches.Load(), err)
	}
}
