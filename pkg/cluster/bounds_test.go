package cluster

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
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
	return clientOf(t, &rest.Config{Host: server.URL, Timeout: timeout})
}

func TestBounds_AListOfRoleBindingsThatMakesNoProgressEnds(t *testing.T) {
	client := hostileServer(t, 0, func(w http.ResponseWriter, r *http.Request) {
		kind := "ClusterRoleBindingList"
		if strings.HasSuffix(r.URL.Path, "/rolebindings") {
			kind = "RoleBindingList"
		}
		_, _ = fmt.Fprintf(w, `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":%q,"metadata":{"continue":"again"},"items":[{}]}`, kind)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, _, err := client.Bindings().Grants(ctx); err == nil || !strings.Contains(err.Error(), "the same continue token twice") {
		t.Errorf("grants: %v", err)
	}
	if _, err := client.Bindings().HeldBy(ctx, "jane"); err == nil || !strings.Contains(err.Error(), "the same continue token twice") {
		t.Errorf("what is held: %v", err)
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

// pending is a request that nobody has decided.
func pending() *request.Request {
	return request.Of(&certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "jane-x", UID: "uid-1", ResourceVersion: "1"}})
}

// questions are one call of each kind.
func questions(client *Client) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"who am I": func(ctx context.Context) error { _, err := client.WhoAmI(ctx); return err },
		"log in": func(ctx context.Context) error {
			_, err := client.LogIn(ctx, kubeconfig.Credentials{})
			return err
		},
		"version": func(ctx context.Context) error { _, err := client.ControlPlane().Version(ctx); return err },
		"get":     func(ctx context.Context) error { _, err := client.Requests().Get(ctx, "jane"); return err },
		"list": func(ctx context.Context) error {
			return client.Requests().Each(ctx, requests.Query{}, func(*request.Request) {})
		},
		"latest": func(ctx context.Context) error {
			_, err := client.Requests().AwaitMany(ctx, request.Signer, func(error) {})
			return err
		},
		"grants":     func(ctx context.Context) error { _, _, err := client.Bindings().Grants(ctx); return err },
		"rules":      func(ctx context.Context) error { _, _, err := client.Bindings().Rules(ctx); return err },
		"held":       func(ctx context.Context) error { _, err := client.Bindings().HeldBy(ctx, "jane"); return err },
		"namespaces": func(ctx context.Context) error { _, err := client.Bindings().Namespaces(ctx); return err },
		"may I":      func(ctx context.Context) error { _, err := client.MayI(ctx, Right{Verb: "get"}); return err },
		"flags": func(ctx context.Context) error {
			_, err := client.ControlPlane().ControllerManagerFlags(ctx)
			return err
		},
		"authorities":  func(ctx context.Context) error { _, err := client.ControlPlane().ClientAuthorities(ctx); return err },
		"certificates": func(ctx context.Context) error { _, err := client.ControlPlane().ServesCertificates(ctx); return err },
		"submit": func(ctx context.Context) error {
			_, _, err := client.Requests().Submit(ctx, pending(), false)
			return err
		},
		"decide": func(ctx context.Context) error {
			_, err := client.Requests().Decide(ctx, request.ReviewOf(pending()), request.Approval(), "", false)
			return err
		},
		"block": func(ctx context.Context) error {
			return client.Blocking().Block(ctx, time.Now(), false, access.Blocked{User: "jane"})
		},
		"unblock": func(ctx context.Context) error {
			_, err := client.Blocking().Unblock(ctx, access.Blocked{User: "jane"}, false, nil)
			return err
		},
	}
}

// tooLarge is more white space than an answer may hold, packed.
func tooLarge(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	blank := []byte(strings.Repeat(" ", 1<<20))
	for range 65 {
		if _, err := packed.Write(blank); err != nil {
			t.Fatal(err)
		}
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBounds_AnAnswerIsReadUpToItsBound(t *testing.T) {
	client := hostileServer(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "["+strings.Repeat("0,", 500_001)+"0]")
	})
	for name, ask := range questions(client) {
		if err := ask(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 500000 values") {
			t.Errorf("%s: %v", name, err)
		}
	}
	packed := tooLarge(t)
	client = hostileServer(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed)
	})
	if _, err := client.WhoAmI(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("a packed answer: %v", err)
	}
	client = hostileServer(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) { endless(w) })
	if _, err := client.WhoAmI(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("an answer that is not packed: %v", err)
	}
	client = hostileServer(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		endless(w)
	})
	if _, err := client.WhoAmI(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("an error: %v", err)
	}
}

func TestBounds_AnEarlyLoginsAnswerIsReadUpToItsBound(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		endless(w)
	}))
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	client := clientOf(t, &rest.Config{Host: server.URL, Timeout: time.Hour, TLSClientConfig: rest.TLSClientConfig{CAData: authority}})
	if err := earlyLogIn(t.Context(), client, janes(t)); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("%v", err)
	}
}

func TestBounds_AnAnswerThatNeverEndsIsGivenUp(t *testing.T) {
	trickle := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			<-time.After(time.Millisecond)
		}
	}
	client := hostileServer(t, 100*time.Millisecond, trickle)
	for name, ask := range questions(client) {
		if err := ask(t.Context()); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	client = hostileServer(t, time.Hour, trickle)
	for name, ask := range questions(client) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := ask(ctx); !errors.Is(err, outcome.ErrTimedOut) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, with --timeout: %v", name, err)
		}
		cancel()
	}
}

func TestBounds_ADelayThatAServerSuggestsIsCapped(t *testing.T) {
	for seconds, want := range map[int32]time.Duration{0: 0, 1: time.Second, 30: 30 * time.Second, 2_000_000_000: 30 * time.Second, -5: 0} {
		client := hostileServer(t, 0, func(w http.ResponseWriter, _ *http.Request) {
			limited := metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
				Code: http.StatusTooManyRequests, Reason: metav1.StatusReasonTooManyRequests,
			}
			if seconds != 0 {
				limited.Details = &metav1.StatusDetails{RetryAfterSeconds: seconds}
			}
			w.WriteHeader(http.StatusTooManyRequests)
			_ = json.NewEncoder(w).Encode(limited)
		})
		_, err := client.Requests().Get(t.Context(), "jane")
		if got := SuggestedDelay(err); got != want {
			t.Errorf("%d seconds: %s, want %s (%v)", seconds, got, want, err)
		}
	}
}
