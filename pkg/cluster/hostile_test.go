package cluster

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// hostile is a client, with a bearer token, of a server that answers as it likes.
func hostile(t *testing.T, path string, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	t.Cleanup(server.Close)
	client := clientOf(t, &rest.Config{
		Host:            server.URL + path,
		BearerToken:     "canary",
		TLSClientConfig: rest.TLSClientConfig{CAData: authorityOf(server)},
	})
	return client
}

func authorityOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// calls are ways to ask a server something, one for each kind of call that a Client makes.
func calls(t *testing.T) map[string]func(context.Context, *Client) error {
	t.Helper()
	object := request.Of(&certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "jane-x", UID: "uid-1", ResourceVersion: "1"},
		Spec:       certificatesv1.CertificateSigningRequestSpec{SignerName: request.Signer},
	})
	credentials := janes(t)
	return map[string]func(context.Context, *Client) error{
		"who am I": func(ctx context.Context, c *Client) error {
			_, err := c.WhoAmI(ctx)
			return err
		},
		"log in with a certificate": func(ctx context.Context, c *Client) error {
			_, err := c.LogIn(ctx, credentials)
			return err
		},
		"log in early": func(ctx context.Context, c *Client) error {
			return earlyLogIn(ctx, c, credentials)
		},
		"log in by an endpoint": func(ctx context.Context, c *Client) error {
			client, err := New(Target{Endpoint: c.Endpoint(), Now: time.Now}, ByCertificate(credentials))
			if err != nil {
				return err
			}
			_, err = client.WhoAmI(ctx)
			return err
		},
		"may I approve": func(ctx context.Context, c *Client) error { return c.CheckMayDecide(ctx, request.Signer) },
		"may I": func(ctx context.Context, c *Client) error {
			_, err := c.MayI(ctx, Right{Resource: "pods", Verb: "get"})
			return err
		},
		"get": func(ctx context.Context, c *Client) error {
			_, err := c.Requests().Get(ctx, "jane-x")
			return err
		},
		"list": func(ctx context.Context, c *Client) error {
			return c.Requests().Each(ctx, requests.Query{}, func(*request.Request) {})
		},
		"submit": func(ctx context.Context, c *Client) error {
			_, _, err := c.Requests().Submit(ctx, object, false)
			return err
		},
		"approve": func(ctx context.Context, c *Client) error {
			_, err := c.Requests().Decide(ctx, &request.Review{Object: object}, request.Approval(), "", false)
			return err
		},
		"delete": func(ctx context.Context, c *Client) error { return c.Requests().Delete(ctx, object) },
		"role bindings": func(ctx context.Context, c *Client) error {
			_, _, err := c.Bindings().Grants(ctx)
			return err
		},
		"bind": func(ctx context.Context, c *Client) error {
			return c.Bindings().ApplyGrant(ctx, access.Wanted{Holder: access.Holder{Name: "jane"}, Grant: access.Grant{Role: access.Role{IsCluster: true, Name: "view"}}})
		},
		"version": func(ctx context.Context, c *Client) error {
			_, err := c.ServerVersion(ctx)
			return err
		},
		"what is served": func(ctx context.Context, c *Client) error {
			_, err := c.ControlPlane().ServesCertificates(ctx)
			return err
		},
		"lease": func(ctx context.Context, c *Client) error {
			_, err := c.ControlPlane().ControllerManagerSeen(ctx)
			return err
		},
		"watch": func(ctx context.Context, c *Client) error {
			return c.Requests().Watch(ctx, requests.Query{}, "1", func(requests.Change) bool { return true }, func(error) {})
		},
	}
}

func TestHostile_RedirectsToAnotherAddressAreNotFollowed(t *testing.T) {
	var followed atomic.Int64
	count := http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { followed.Add(1) })
	plain, other := httptest.NewServer(count), httptest.NewTLSServer(count)
	t.Cleanup(plain.Close)
	t.Cleanup(other.Close)
	for about, to := range map[string]string{"without TLS": plain.URL, "to another server": other.URL} {
		for name, call := range calls(t) {
			t.Run(about+"/"+name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				client := hostile(t, "", func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, to+r.URL.Path+"?token=hidden", http.StatusTemporaryRedirect) //nolint:gosec // The server is hostile.
				})
				err := call(ctx, client)
				if err == nil || !strings.Contains(err.Error(), "redirects to "+to+", and credentials are sent to no other address") {
					t.Errorf("the error is %v", err)
				}
				if err != nil && MayPass(err) {
					t.Error("it would be asked again")
				}
			})
		}
	}
	if n := followed.Load(); n > 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestHostile_ARedirectAtTheSameAddressIsFollowed(t *testing.T) {
	client := hostile(t, "/prefix", func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/moved") {
			http.Redirect(w, r, "/moved"+r.URL.Path, http.StatusTemporaryRedirect) //nolint:gosec // It redirects to itself.
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{"username":"jane"}}}`))
	})
	if user, err := client.WhoAmI(t.Context()); err != nil || user.Name != "jane" {
		t.Errorf("the user is %q, %v", user.Name, err)
	}
}

func TestHostile_AnswersOfTheWrongKindAreNotBelieved(t *testing.T) {
	for about, answer := range map[string]struct{ contentType, body string }{
		"null":                      {"application/json", "null"},
		"an empty object":           {"application/json", "{}"},
		"an empty body":             {"application/json", ""},
		"no JSON":                   {"application/json", "canary"},
		"a list of JSON":            {"application/json", "[]"},
		"another kind":              {"application/json", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"jane-x","uid":"uid-1"},"status":{"userInfo":{"username":"jane"},"allowed":true}}`},
		"no kind":                   {"application/json", `{"metadata":{"name":"jane-x","uid":"uid-1"},"status":{"userInfo":{"username":"jane"},"allowed":true}}`},
		"a login page":              {"text/html; charset=utf-8", "<html>canary</html>"},
		"no content type":           {"", "canary"},
		"protobuf of nothing":       {"application/vnd.kubernetes.protobuf", "k8s\x00"},
		"protobuf without envelope": {"application/vnd.kubernetes.protobuf", "canary"},
	} {
		for name, call := range calls(t) {
			if name == "watch" || name == "version" && about == "another kind" {
				// A stream has its own end, and a version has no kind.
				continue
			}
			t.Run(about+"/"+name, func(t *testing.T) {
				client := hostile(t, "/prefix/api/v1", func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = nil
					if answer.contentType != "" {
						w.Header().Set("Content-Type", answer.contentType)
					}
					_, _ = w.Write([]byte(answer.body))
				})
				err := call(t.Context(), client)
				if err == nil {
					t.Fatal("it is believed")
				}
				if text := err.Error() + outcome.Hint(err); strings.Contains(text, "canary") || name != "log in early" && name != "version" && !strings.Contains(text, "is not believed") {
					t.Errorf("the error is %v", err)
				}
				if MayPass(err) {
					t.Error("it would be asked again")
				}
			})
		}
	}
}

func TestHostile_AnotherObjectThanTheOneAskedForIsNotBelieved(t *testing.T) {
	for about, meta := range map[string]metav1.ObjectMeta{
		"another name": {Name: "mallory-x", UID: "uid-1"},
		"no UID":       {Name: "jane-x", UID: types.UID("")},
	} {
		t.Run(about, func(t *testing.T) {
			client := hostile(t, "", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"` + meta.Name + `","uid":"` + string(meta.UID) + `"}}`))
			})
			if _, err := client.Requests().Get(t.Context(), "jane-x"); err == nil || !strings.Contains(err.Error(), "is not believed") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestHostile_NobodysNameIsNotBelieved(t *testing.T) {
	client := hostile(t, "", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`))
	})
	if user, err := client.WhoAmI(t.Context()); err == nil || !strings.Contains(err.Error(), "is not believed") {
		t.Errorf("the user is %q, %v", user.Name, err)
	}
}
