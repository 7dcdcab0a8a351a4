package clustertest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// Masters is the group whose members are permitted everything (see Refuse). Everybody else is
// permitted to create and to read certificate signing requests.
const Masters = "system:masters"

// Server is an API server. Its fields are set before the first call.
type Server struct {
	// Endpoint is how it is reached.
	Endpoint kubeconfig.Endpoint
	// Version is the release that it claims to be.
	Version string
	*store
	// Answer answers a call instead of the server if it returns true, for faults. Optional.
	Answer func(w http.ResponseWriter, r *http.Request) bool
	// IsUnsigned has approved requests stay without a certificate.
	IsUnsigned bool
	// ChangeCertificate changes what the signer is about to sign. Optional.
	ChangeCertificate func(*x509.Certificate)

	authority authority
	listening *httptest.Server
	decoder   runtime.Decoder

	refused   map[string]bool
	permitted map[string]bool
}

// New starts a server on a loopback address, which stops with the test.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{
		Version: "v1.35.0", store: newStore(time.Now), authority: newAuthority(t), decoder: newDecoder(),
		refused: map[string]bool{}, permitted: map[string]bool{},
	}
	s.listening = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.listening.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert, ClientCAs: s.authority.pool(),
		Certificates: []tls.Certificate{s.authority.server(t)},
	}
	// Clients that have enough break off connections.
	s.listening.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.listening.StartTLS()
	t.Cleanup(s.Stop)
	s.Endpoint = kubeconfig.Endpoint{Cluster: "test", Server: s.listening.URL, CertificateAuthority: s.authority.pem()}
	return s
}

// Stop ends the server: connections are closed, and refused from now on.
func (s *Server) Stop() {
	s.listening.CloseClientConnections()
	s.listening.Close()
}

// Client is a client that logs in as a user.
func (s *Server) Client(t *testing.T, name string, groups ...string) *cluster.Client {
	t.Helper()
	target := cluster.Target{Endpoint: s.Endpoint, UserAgent: "test", Now: s.Now}
	client, err := cluster.New(target, cluster.ByCertificate(s.Credentials(t, name, groups...)))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Admin is a client that is permitted everything.
func (s *Server) Admin(t *testing.T) *cluster.Client {
	t.Helper()
	return s.Client(t, "admin", Masters)
}

// Refuse has the server forbid a verb on a resource, such as "update" on
// "certificatesigningrequests/approval", to everybody.
func (s *Server) Refuse(verb, resource string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refused[verb+" "+resource] = true
}

// Permit has the server permit a verb on a resource to a user who is not in Masters.
func (s *Server) Permit(user, verb, resource string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.permitted[user+" "+verb+" "+resource] = true
}
