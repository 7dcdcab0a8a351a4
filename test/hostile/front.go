// Package hostile is what a real control plane cannot be made to be: an API server that
// changes some of its answers, and a signer that stores certificates nobody asked for. Both
// stand on a real control plane, and change nothing but what a test says.
package hostile

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// Front stands in front of a plane's API server. It accepts client certificates of the
// plane's authority, passes calls on as the users in them, and changes what its rules say.
type Front struct {
	*httptest.Server

	mu    sync.Mutex
	rules []*Rule

	refused atomic.Int64
}

// NewFront starts a front, which the end of the test stops. now is the time at which
// certificates are checked: the API server knows no other than the machine's.
func NewFront(t testing.TB, plane *controlplane.Plane, now func() time.Time) *Front {
	t.Helper()
	encoded, err := os.ReadFile(plane.CertificateAuthority)
	if err != nil {
		t.Fatal(err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(encoded) {
		t.Fatal("the authority of the plane's clients has no certificate")
	}
	pass := PassTo(t, plane)
	front := &Front{}
	front.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		answer := front.answerTo(call)
		if answer == nil {
			answer = func(w http.ResponseWriter, call *http.Request, pass http.Handler) { pass.ServeHTTP(w, call) }
		}
		answer(w, call, http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
			if !impersonate(call, authorities, now()) {
				front.refused.Add(1)
				Status(http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")(w, call, nil)
				return
			}
			pass.ServeHTTP(w, call)
		}))
	}))
	front.EnableHTTP2 = true
	front.Config.ErrorLog = pass.ErrorLog
	front.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	front.StartTLS()
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	return front
}

// Follow has the front follow these rules and no others from now on. The first that is for a
// call decides.
func (f *Front) Follow(rules ...*Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = rules
}

// Refused counts the calls whose certificate did not log in.
func (f *Front) Refused() int64 { return f.refused.Load() }

// Lead has a kubeconfig's cluster lead to the front.
func (f *Front) Lead(cluster *clientcmdapi.Cluster) {
	cluster.Server, cluster.TLSServerName = f.URL, ""
	cluster.CertificateAuthority, cluster.CertificateAuthorityData = "", f.Authority()
}

// Authority is the certificate, in PEM, that the front's server is trusted by.
func (f *Front) Authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
}

// answerTo is what a rule says of a call; nil where none is for it.
func (f *Front) answerTo(call *http.Request) Answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rule := range slices.Clone(f.rules) {
		if rule.isFor(call) {
			return rule.Do
		}
	}
	return nil
}

// PassTo passes calls on to a plane's API server, as its administrator and without a word.
func PassTo(t testing.TB, plane *controlplane.Plane) *httputil.ReverseProxy {
	t.Helper()
	config, err := plane.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(target)
	pass.Transport, pass.FlushInterval, pass.ErrorLog = transport, -1, log.New(io.Discard, "", 0)
	return pass
}

// impersonate has a call made by the user of its client certificate, as the API server's
// own authenticator would accept them (k8s.io/apiserver
// pkg/authentication/request/x509); false is one who cannot log in.
func impersonate(call *http.Request, authorities *x509.CertPool, now time.Time) bool {
	certificate := CertificateOf(call)
	if certificate == nil {
		return false
	}
	if _, err := certificate.Verify(x509.VerifyOptions{
		Roots: authorities, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return false
	}
	if call.Header.Get("Impersonate-User") != "" && slices.Contains(certificate.Subject.Organization, "system:masters") {
		// An administrator acts as somebody else, as which the API server judges the call.
		return true
	}
	digest := sha256.Sum256(certificate.Raw)
	call.Header.Set("Impersonate-User", certificate.Subject.CommonName)
	for _, group := range append(certificate.Subject.Organization, "system:authenticated") {
		call.Header.Add("Impersonate-Group", group)
	}
	call.Header.Set("Impersonate-Extra-authentication.kubernetes.io%2Fcredential-id", "X509SHA256="+hex.EncodeToString(digest[:]))
	return true
}

// CertificateOf is the client certificate of a call; nil without one.
func CertificateOf(call *http.Request) *x509.Certificate {
	if len(call.TLS.PeerCertificates) == 0 {
		return nil
	}
	return call.TLS.PeerCertificates[0]
}
