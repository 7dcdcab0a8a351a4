package cluster

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// AsksForClientCertificates reports whether what answers at the server's address asks for
// a client certificate when a TLS connection is made (RFC 8446, section 4.3.2), as an API
// server with --client-ca-file does. Where it does not, TLS ends before the API server,
// and no client certificate ever logs in there. No credentials are sent.
func (c *Client) AsksForClientCertificates(ctx context.Context) (bool, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	settings, err := c.target.anonymous()
	if err != nil {
		return false, err
	}
	var asked atomic.Bool
	settings.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked.Store(true)
		return &tls.Certificate{}, nil
	}
	transport := &http.Transport{Proxy: settings.proxy, TLSClientConfig: settings.tls, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	// A proxy may be reached by TLS as well: the last handshake is the server's.
	trace := &httptrace.ClientTrace{TLSHandshakeStart: func() { asked.Store(false) }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(call, trace), http.MethodGet, c.target.Endpoint.Server+"/version", nil)
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
		return false, c.api.Explain(ctx, err, "find out whether client certificates reach the API server")
	}
	return false, nil
}
