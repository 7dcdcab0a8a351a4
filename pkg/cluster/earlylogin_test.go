package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/earlylogin"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// greeter is a server that knows people by their certificates, and hangs up on the first
// of them who connect.
type greeter struct {
	net.Listener
	client *Client
	// sees is called with each call, if it is not nil.
	sees func(http.ResponseWriter, *http.Request)
	// connections is how many there were.
	connections atomic.Int64
	hangsUpOn   int64
}

// Accept implements net.Listener.
func (g *greeter) Accept() (net.Conn, error) {
	connection, err := g.Listener.Accept()
	if err == nil && g.connections.Add(1) <= g.hangsUpOn {
		err = connection.Close()
	}
	return connection, err
}

func newGreeter(t *testing.T, hangsUpOn int64) *greeter {
	t.Helper()
	g := &greeter{hangsUpOn: hangsUpOn}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "system:anonymous"
		if len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		if g.sees != nil {
			g.sees(w, r)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{"username":%q}}}`, name) //nolint:gosec // Nobody reads it but the test.
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	g.Listener = server.Listener
	server.Listener = g
	server.StartTLS()
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	g.client = clientOf(t, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: authority}})
	return g
}

// janes is a certificate that names jane, and its key.
func janes(t *testing.T) kubeconfig.Credentials {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jane"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig.Credentials{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: encoded}
}

func TestEarlyLogin_ALoginThatWasBegunEarlyIsOneConnection(t *testing.T) {
	g := newGreeter(t, 0)
	logIn, abandon := g.client.ExpectLogIn(t.Context())
	defer abandon()
	user, err := logIn(t.Context(), janes(t))
	if err != nil || user.Name != "jane" {
		t.Errorf("the user is %q, %v", user.Name, err)
	}
	if n := g.connections.Load(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

func TestEarlyLogin_ALoginThatWasBegunInVainBeginsAgain(t *testing.T) {
	g := newGreeter(t, 1)
	logIn, abandon := g.client.ExpectLogIn(t.Context())
	defer abandon()
	user, err := logIn(t.Context(), janes(t))
	if err != nil || user.Name != "jane" {
		t.Errorf("the user is %q, %v", user.Name, err)
	}
	if n := g.connections.Load(); n < 2 {
		t.Errorf("there were %d connections", n)
	}
}

// earlyLogIn is an early login that does not become an ordinary one where it fails.
func earlyLogIn(ctx context.Context, client *Client, credentials kubeconfig.Credentials) error {
	server, err := client.earlyServer()
	if err != nil {
		return err
	}
	whoAmI, earlyErr := server.WhoAmI, errors.New("it did not connect")
	server.WhoAmI = func(ctx context.Context, transport http.RoundTripper) (user identity.User, _ error) {
		user, earlyErr = whoAmI(ctx, transport)
		return user, earlyErr
	}
	server.LogIn = func(context.Context, kubeconfig.Credentials) (identity.User, error) { return identity.User{}, earlyErr }
	early := earlylogin.Begin(ctx, server)
	defer early.Abandon()
	_, err = early.LogIn(ctx, credentials)
	return err
}

// A proxy is there to be used: nothing is sent past it.
func TestEarlyLogin_ALoginBehindAProxyIsNotBegunEarly(t *testing.T) {
	server := newGreeter(t, 0)
	target := server.client.Target()
	target.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: closedPort})
	client, err := New(target, Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	logIn, abandon := client.ExpectLogIn(t.Context())
	defer abandon()
	if _, err := logIn(t.Context(), janes(t)); err == nil || !strings.Contains(err.Error(), "the proxy to") {
		t.Errorf("the error is %v", err)
	}
	if n := server.connections.Load(); n != 0 {
		t.Errorf("there were %d connections past the proxy", n)
	}
}

// net/http reads the environment once, and passes over proxies for this machine: so it is
// compared, not tried.
func TestEarlyLogin_TheEnvironmentsProxyIsUsedWhereTheTargetHasNone(t *testing.T) {
	settings, err := newGreeter(t, 0).client.Target().anonymous()
	if err != nil || reflect.ValueOf(settings.proxy).Pointer() != reflect.ValueOf(http.ProxyFromEnvironment).Pointer() {
		t.Errorf("another proxy is used, %v", err)
	}
}
