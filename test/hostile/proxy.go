package hostile

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
)

// Proxy is an HTTP proxy (RFC 9110, section 9.3.6) that connects callers to where they want,
// and remembers what they say.
type Proxy struct {
	server *httptest.Server

	mu     sync.Mutex
	logins []*url.Userinfo
}

// NewProxy starts a proxy, which the end of the test stops.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	p := &Proxy{}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// URL is the proxy's address, for whom it is to be told.
func (p *Proxy) URL(user *url.Userinfo) string {
	return (&url.URL{Scheme: "http", User: user, Host: p.server.Listener.Addr().String()}).String()
}

// Logins are the users and passwords that came with the connections, nil without any.
func (p *Proxy) Logins() []*url.Userinfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*url.Userinfo(nil), p.logins...)
}

func (p *Proxy) serve(w http.ResponseWriter, call *http.Request) {
	// The header has the form of Authorization's.
	named := http.Request{Header: http.Header{"Authorization": call.Header["Proxy-Authorization"]}}
	var login *url.Userinfo
	if user, password, given := named.BasicAuth(); given {
		login = url.UserPassword(user, password)
	}
	p.mu.Lock()
	p.logins = append(p.logins, login)
	p.mu.Unlock()
	if call.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	server, err := net.Dial("tcp", call.Host) //nolint:gosec // That is what a proxy does.
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer server.Close() //nolint:errcheck // The proxy is done with it.
	w.WriteHeader(http.StatusOK)
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close() //nolint:errcheck // The proxy is done with it.
	done := make(chan struct{}, 2)
	pass := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go pass(server, buffered)
	go pass(client, server)
	<-done
}
