package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// issuer signs certificates of tests.
type issuer struct {
	t           *testing.T
	certificate *x509.Certificate
	key         crypto.Signer
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key := newECDSA(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, certificate, key}
}

func newECDSA(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (i *issuer) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.certificate.Raw})
}

// issue makes a certificate for an hour from a time, and its key, both in PEM. It is good
// for servers at 127.0.0.1, and for clients.
func (i *issuer) issue(from time.Time, subject pkix.Name, change func(*x509.Certificate)) (certificate, key []byte) {
	i.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: subject, NotBefore: from, NotAfter: from.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	own := newECDSA(i.t)
	der, err := x509.CreateCertificate(rand.Reader, template, i.certificate, own.Public(), i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		i.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// serve is an HTTPS server with a certificate of the issuer's.
func (i *issuer) serve(certificate, key []byte, answer http.HandlerFunc, change func(*tls.Config)) string {
	i.t.Helper()
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		i.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(answer)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10} //nolint:gosec // Also servers that are too old.
	if change != nil {
		change(server.TLS)
	}
	server.StartTLS()
	i.t.Cleanup(server.Close)
	return server.URL
}

func answering(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func forbidden(user string) http.HandlerFunc {
	return answering(http.StatusForbidden, "application/json", `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,
		"message":"rolebindings.rbac.authorization.k8s.io is forbidden: User \"`+user+`\" cannot create resource \"rolebindings\"",
		"details":{"group":"rbac.authorization.k8s.io","kind":"rolebindings"}}`)
}

const unauthorized = `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`

// TestDiagnosis_EachCauseHasItsHint makes a server or a network fail in each way and looks at what a
// person is told.
func TestDiagnosis_EachCauseHasItsHint(t *testing.T) {
	i := newIssuer(t)
	now := time.Now()
	valid, validKey := i.issue(now.Add(-time.Minute), pkix.Name{CommonName: "server"}, nil)
	jane := pkix.Name{CommonName: "jane", Organization: []string{"dev"}}
	pair := func(from time.Time, subject pkix.Name) func(*rest.Config) {
		certificate, key := i.issue(from, subject, nil)
		return func(config *rest.Config) { config.CertData, config.KeyData = certificate, key }
	}
	token := func(config *rest.Config) { config.BearerToken = "t0ken" }
	server := func(answer http.HandlerFunc) string { return i.serve(valid, validKey, answer, nil) }
	dated := func(from time.Time) string {
		certificate, key := i.issue(from, pkix.Name{CommonName: "server"}, nil)
		return i.serve(certificate, key, answering(200, "text/plain", ""), nil)
	}
	changed := func(change func(*x509.Certificate)) string {
		certificate, key := i.issue(now.Add(-time.Minute), pkix.Name{CommonName: "server"}, change)
		return i.serve(certificate, key, answering(200, "text/plain", ""), nil)
	}
	through := func(proxy string) func(*rest.Config) {
		return func(config *rest.Config) {
			config.BearerToken = "t0ken"
			config.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
		}
	}
	plain := httptest.NewServer(answering(http.StatusOK, "text/plain", "hello"))
	t.Cleanup(plain.Close)
	refusing := func(code int) string {
		proxy := httptest.NewServer(answering(code, "text/plain", ""))
		t.Cleanup(proxy.Close)
		return proxy.URL
	}
	const unverifiable = "certificate-authority-data"
	for _, test := range []struct {
		about  string
		server string
		with   func(*rest.Config)
		// says is in the sentence, hint in the hint, and not in neither.
		says, hint, not []string
		isUnreachable   bool
	}{
		{"the server's certificate has expired", dated(now.Add(-3 * time.Hour)), token,
			[]string{"has expired 20", "x509: certificate has expired or is not yet valid"}, []string{"this machine's clock says 20", "kubeadm certs renew apiserver"}, []string{unverifiable}, false},
		{"the server's certificate is not valid yet", dated(now.Add(3 * time.Hour)), token,
			[]string{"is not valid before 20"}, []string{"this machine's clock says 20", "NTP"}, []string{unverifiable, "kubeadm"}, false},
		{"the server's certificate is for another name", changed(func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"kubernetes"} }), token,
			[]string{"is for another name"}, []string{"--tls-server-name"}, []string{unverifiable}, false},
		{"the server's certificate is one for clients", changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), token,
			[]string{"is not one for a server"}, []string{"operators of the cluster"}, []string{unverifiable}, false},
		{"the server's certificate is of an unknown authority", server(nil), func(c *rest.Config) { c.CAData = newIssuer(t).pem() },
			[]string{"is not trusted", "x509: certificate signed by unknown authority"}, []string{unverifiable}, []string{"clock"}, false},
		{"nobody listens", "https://" + closedPort, token,
			[]string{"cannot be reached", "connection refused"}, []string{"nothing listens there"}, nil, true},
		{"the connection is closed", server(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), token,
			[]string{"cannot be reached", "EOF"}, []string{"the connection was closed"}, nil, true},
		{"HTTP is answered on the port", strings.Replace(plain.URL, "http:", "https:", 1), token,
			[]string{"does not speak TLS", "server gave HTTP response to HTTPS client"}, []string{"check the port"}, nil, false},
		{"the server has old versions of TLS alone", i.serve(valid, validKey, nil, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }), token,
			[]string{"refused the TLS connection", "protocol version not supported"}, []string{"check the address and the port"}, []string{"client certificate"}, false},
		{"the server requires a client certificate", i.serve(valid, validKey, nil, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }), token,
			[]string{"refused the connection's credentials"}, []string{"the client certificate"}, nil, false},
		{"a proxy wants a password", server(nil), through(refusing(http.StatusProxyAuthRequired)),
			[]string{"Proxy Authentication Required"}, []string{"a user name and a password", "HTTPS_PROXY"}, nil, false},
		{"a proxy does not allow it", server(nil), through(refusing(http.StatusForbidden)),
			[]string{"the proxy does not connect"}, []string{"NO_PROXY"}, []string{"that verb"}, true},
		{"a proxy is not there", server(nil), through("http://" + closedPort),
			[]string{"the proxy to", "connection refused"}, []string{"check HTTPS_PROXY"}, nil, true},
		{"a web server answers", server(answering(http.StatusNotFound, "text/html", "<html>not found</html>")), token,
			[]string{"does not answer as an API server does"}, []string{"something else than an API server"}, []string{"1.28"}, false},
		{"a server does not have what is asked for", server(answering(http.StatusNotFound, "text/plain", "404 page not found\n")), token,
			nil, []string{"Kubernetes 1.28 or later", "check the address and its path"}, nil, false},
		{"a firewall answers", server(answering(http.StatusForbidden, "text/html", "<html>blocked</html>")), token,
			[]string{"something in front of the API server"}, []string{"firewall"}, []string{"that verb"}, false},
		{"a web page is the answer", server(answering(http.StatusOK, "text/html", "<html>log in</html>")), token,
			[]string{"is not believed: the response is of the type"}, []string{"something else than a Kubernetes API server"}, nil, false},
		{"the server is starting", server(answering(http.StatusServiceUnavailable, "text/plain", "not ready")), token,
			nil, []string{"try again"}, nil, false},
		{"credentials are not accepted", server(answering(http.StatusUnauthorized, "application/json", unauthorized)), token,
			[]string{"does not accept these credentials"}, []string{"kubectl auth whoami"}, nil, false},
		{"a certificate that is good is not accepted", server(answering(http.StatusUnauthorized, "application/json", unauthorized)), pair(now.Add(-time.Minute), jane),
			[]string{"does not accept these credentials"}, []string{"another cluster's"}, []string{"expired 20"}, false},
		{"there are no credentials, and they are required", server(answering(http.StatusUnauthorized, "application/json", unauthorized)), nil,
			[]string{"requires credentials"}, []string{"choose a context whose user has credentials"}, []string{"expired"}, false},
		{"one's own certificate has expired", server(answering(http.StatusUnauthorized, "application/json", unauthorized)), pair(now.Add(-3*time.Hour), jane),
			[]string{"the client certificate of \"jane\" expired 20", "this machine's clock says 20"}, []string{"new-user jane -g dev --offline", "--context NAME"}, []string{"whoami"}, false},
		{"one's own certificate is not valid yet", server(answering(http.StatusUnauthorized, "application/json", unauthorized)), pair(now.Add(3*time.Hour), jane),
			[]string{"the client certificate of \"jane\" is not valid before 20"}, []string{"set this machine's clock"}, []string{"new-user"}, false},
		{"kubeadm's certificate has expired", server(answering(http.StatusUnauthorized, "application/json", unauthorized)),
			pair(now.Add(-3*time.Hour), pkix.Name{CommonName: "kubernetes-admin", Organization: []string{"system:masters"}}),
			[]string{"the client certificate of \"kubernetes-admin\" expired 20"}, []string{"kubeadm certs renew admin.conf"}, []string{"new-user"}, false},
		{"a certificate for system:masters has expired", server(answering(http.StatusUnauthorized, "application/json", unauthorized)),
			pair(now.Add(-3*time.Hour), pkix.Name{CommonName: "root", Organization: []string{"system:masters"}}),
			nil, []string{"no request for system:masters is accepted", "kubeadm kubeconfig user"}, []string{"new-user"}, false},
		{"nobody is known, without credentials", server(forbidden("system:anonymous")), nil,
			[]string{"you cannot", "system:anonymous"}, []string{"no credentials for this context"}, []string{"verb"}, false},
		{"nobody is known, with a certificate", server(forbidden("system:anonymous")), pair(now.Add(-time.Minute), jane),
			nil, []string{"the client certificate did not reach the API server", "TLS ends at a proxy"}, []string{"verb"}, false},
		{"nobody is known, with a token", server(forbidden("system:anonymous")), token,
			nil, []string{"did not reach the API server"}, []string{"verb", "TLS"}, false},
		{"somebody is forbidden", server(forbidden("jane")), token,
			[]string{"you cannot", `User "jane"`}, []string{"that verb on rolebindings.rbac.authorization.k8s.io"}, []string{"certificatesigningrequests"}, false},
	} {
		t.Run(test.about, func(t *testing.T) {
			config := &rest.Config{Host: test.server, TLSClientConfig: rest.TLSClientConfig{CAData: i.pem()}}
			if test.with != nil {
				test.with(config)
			}
			client := clientOf(t, config)
			_, err := client.WhoAmI(t.Context())
			checkTold(t, err, test.says, test.hint, test.not)
			if errors.Is(err, ErrUnreachable) != test.isUnreachable {
				t.Errorf("unreachable is %v: %v", !test.isUnreachable, err)
			}
		})
	}
}

func checkTold(t *testing.T, err error, says, hint, not []string) {
	t.Helper()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("it does not say %q: %v", text, err)
		}
	}
	for _, text := range hint {
		if !strings.Contains(outcome.Hint(err), text) {
			t.Errorf("the hint does not say %q: %s", text, outcome.Hint(err))
		}
	}
	for _, text := range not {
		if told := err.Error() + "\n" + outcome.Hint(err); strings.Contains(told, text) {
			t.Errorf("it says %q: %s", text, told)
		}
	}
}

// TestDiagnosis_EachFaultOfTheNetworkHasItsHint is about what a test cannot have a network do.
func TestDiagnosis_EachFaultOfTheNetworkHasItsHint(t *testing.T) {
	client := clientOf(t, &rest.Config{Host: "https://kubernetes.example"})
	for _, test := range []struct {
		about      string
		err        error
		says, hint string
	}{
		{"no such host", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "kubernetes.example", IsNotFound: true}}, "no such host", "check the server's name"},
		{"no answer to the connection", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "timeout", "firewall"},
		{"a login plugin that fails", errors.New("getting credentials: exec: executable gone not found\n\nadvice"), "executable gone not found", "install or fix the login plugin"},
	} {
		err := client.api.Explain(t.Context(), &url.Error{Op: "Post", URL: "https://kubernetes.example", Err: test.err}, "look")
		t.Run(test.about, func(t *testing.T) { checkTold(t, err, []string{test.says}, []string{test.hint}, []string{"advice"}) })
	}
}

// closedPort is an address at which nobody listens: its port is given to nobody who asks for
// any port, unlike one that was listened at before.
const closedPort = "127.0.0.1:1"
