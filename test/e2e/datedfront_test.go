package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// passTo passes calls on to a plane's API server, as its administrator and without a word.
func passTo(t *testing.T, plane *controlplane.Plane) *httputil.ReverseProxy {
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

// datedFront stands before a plane's API server, which knows no other time than the
// machine's. It takes client certificates by a clock of its own, as the API server does
// by its clock, and passes calls on as whom the certificate names.
type datedFront struct {
	*httptest.Server
	// away has every connection end without an answer.
	away atomic.Bool
	// refused counts the calls whose certificate was of no use.
	refused atomic.Int64
}

func newDatedFront(t *testing.T, plane *controlplane.Plane, now func() time.Time) *datedFront {
	t.Helper()
	authorities := x509.NewCertPool()
	authorities.AddCert(authorityFor(t, plane).certificate)
	pass := passTo(t, plane)

	front := &datedFront{}
	front.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if front.away.Load() {
			panic(http.ErrAbortHandler)
		}
		if !impersonate(r, authorities, now()) {
			front.refused.Add(1)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","message":"Unauthorized","code":401}`)
			return
		}
		pass.ServeHTTP(w, r)
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

// impersonate has a call made by the user of its client certificate, as the API server's
// own authenticator would take them (k8s.io/apiserver
// pkg/authentication/request/x509); false is one who can't log in.
func impersonate(r *http.Request, authorities *x509.CertPool, now time.Time) bool {
	if len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	certificate := r.TLS.PeerCertificates[0]
	if _, err := certificate.Verify(x509.VerifyOptions{
		Roots: authorities, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return false
	}
	digest := sha256.Sum256(certificate.Raw)
	r.Header.Set("Impersonate-User", certificate.Subject.CommonName)
	for _, group := range append(certificate.Subject.Organization, "system:authenticated") {
		r.Header.Add("Impersonate-Group", group)
	}
	r.Header.Set("Impersonate-Extra-authentication.kubernetes.io%2Fcredential-id", "X509SHA256="+hex.EncodeToString(digest[:]))
	return true
}
