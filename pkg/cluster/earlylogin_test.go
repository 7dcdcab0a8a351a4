package cluster

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// greeter is a server that knows people by their certificates, and hangs up on the first
// of them who connect.
type greeter struct {
	net.Listener
	client *Client
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
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "system:anonymous"
		if len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{"username":%q}}}`, name) //nolint:gosec // Nobody reads it but the test.
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	g := &greeter{Listener: server.Listener, hangsUpOn: hangsUpOn}
	server.Listener = g
	server.StartTLS()
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	var err error
	g.client, err = Connect(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: authority}}, "test", "test", nil)
	if err != nil {
		t.Fatal(err)
	}
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

func TestALoginThatWasBegunEarlyIsOneConnection(t *testing.T) {
	g := newGreeter(t, 0)
	early := g.client.BeginLogIn(t.Context())
	defer early.Abandon()
	user, err := early.LogIn(t.Context(), janes(t), "test")
	if err != nil || user.Name != "jane" {
		t.Errorf("she is %q, %v", user.Name, err)
	}
	if n := g.connections.Load(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

func TestALoginThatWasBegunInVainBeginsAgain(t *testing.T) {
	g := newGreeter(t, 1)
	early := g.client.BeginLogIn(t.Context())
	defer early.Abandon()
	user, err := early.LogIn(t.Context(), janes(t), "test")
	if err != nil || user.Name != "jane" {
		t.Errorf("she is %q, %v", user.Name, err)
	}
	if n := g.connections.Load(); n < 2 {
		t.Errorf("there were %d connections", n)
	}
}

func TestAnAbandonedLoginEnds(t *testing.T) {
	g := newGreeter(t, 0)
	early := g.client.BeginLogIn(t.Context())
	early.Abandon()
	if connection := <-early.connected; connection != nil {
		t.Error("there is a connection")
	}
}
