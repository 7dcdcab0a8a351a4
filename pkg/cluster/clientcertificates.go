package cluster

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// AsksForClientCertificates reports whether what answers at the server's address asks for
// a client certificate when a TLS connection is made (RFC 8446, section 4.3.2), as an API
// server with --client-ca-file does. Where it does not, TLS ends before the API server,
// and no client certificate ever logs in there. No credentials are sent.
func (c *Client) AsksForClientCertificates(ctx context.Context) (bool, error) {
	call, cancel := c.bounded(ctx)
	defer cancel()
	settings, err := rest.TLSConfigFor(configAs(c.endpoint, nil, kubeconfig.Credentials{}, 0))
	if err != nil {
		return false, err
	}
	settings = settings.Clone()
	if settings == nil {
		settings = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	var asked atomic.Bool
	settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked.Store(true)
		return &tls.Certificate{}, nil
	}
	proxy := c.proxy
	if proxy == nil {
		// As client-go has it.
		proxy = http.ProxyFromEnvironment
	}
	transport := &http.Transport{Proxy: proxy, TLSClientConfig: settings, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	// A proxy may be reached by TLS as well: the last handshake is the server's.
	trace := &httptrace.ClientTrace{TLSHandshakeStart: func() { asked.Store(false) }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(call, trace), http.MethodGet, c.endpoint.Server+"/version", nil)
	if err != nil {
		return false, err
	}
	response, err := transport.RoundTrip(request)
	if err == nil {
		_ = response.Body.Close()
	}
	switch {
	case asked.Load():
		// Whatever else it says: it may require one.
		return true, nil
	case err != nil:
		return false, c.explain(ctx, err, "find out whether client certificates reach the API server")
	}
	return false, nil
}

// LogsInByCertificate reports whether this client has a client certificate and nothing
// else to log in with, so that an answer to it shows that certificates reach the server.
func (c *Client) LogsInByCertificate() bool {
	if len(c.config.CertData) == 0 && c.config.CertFile == "" {
		return false
	}
	without := rest.CopyConfig(c.config)
	without.CertData, without.CertFile = nil, ""
	return !hasCredentials(without)
}
