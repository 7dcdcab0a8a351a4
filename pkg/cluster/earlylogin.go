package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// EarlyLogIn is a login that was begun before there is a certificate to log in with. In
// a TLS handshake the client sends its certificate last: all that comes before it is done
// while the certificate is being signed.
type EarlyLogIn struct {
	client *Client
	// Abandon ends it. It has to be called.
	Abandon context.CancelFunc

	certificate chan tls.Certificate
	// connected gets the connection, or nil where there is none.
	connected chan *tls.Conn
}

// earlyPatience is how long the server is left waiting for the certificate.
const earlyPatience = 5 * time.Second

// BeginLogIn begins a login with a certificate that is expected within moments. What goes
// wrong with it is not told: LogIn does it all over then.
func (c *Client) BeginLogIn(ctx context.Context) *EarlyLogIn {
	e := &EarlyLogIn{client: c, certificate: make(chan tls.Certificate, 1), connected: make(chan *tls.Conn, 1)}
	ctx, e.Abandon = context.WithTimeout(ctx, earlyPatience)
	go func() {
		connection, err := e.greet(ctx)
		if err != nil {
			connection = nil
		}
		e.connected <- connection
	}()
	return e
}

var errBehindProxy = errors.New("the server is behind a proxy")

func (e *EarlyLogIn) greet(ctx context.Context) (*tls.Conn, error) {
	config := configAs(e.client.endpoint, nil, kubeconfig.Credentials{}, 0)
	address, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	if e.client.proxy != nil {
		if proxy, err := e.client.proxy(&http.Request{URL: address}); proxy != nil || err != nil {
			return nil, errors.Join(errBehindProxy, err)
		}
	}
	settings, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	settings = settings.Clone()
	if settings == nil {
		settings = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	settings.NextProtos = []string{"http/1.1"}
	settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		select {
		case certificate := <-e.certificate:
			return &certificate, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	dialer := tls.Dialer{Config: settings}
	connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(address.Hostname(), cmp.Or(address.Port(), "443")))
	if err != nil {
		return nil, err
	}
	return connection.(*tls.Conn), nil
}

// LogIn is Client.LogIn, and goes on where BeginLogIn has come to.
func (e *EarlyLogIn) LogIn(ctx context.Context, credentials kubeconfig.Credentials, userAgent string) (identity.User, error) {
	if user, err := e.finish(ctx, credentials, userAgent); err == nil {
		return user, nil
	}
	return e.client.LogIn(ctx, credentials, userAgent)
}

var errNoConnection = errors.New("there is no connection")

func (e *EarlyLogIn) finish(ctx context.Context, credentials kubeconfig.Credentials, userAgent string) (identity.User, error) {
	certificate, err := tls.X509KeyPair(credentials.Certificate, credentials.Key)
	if err != nil {
		return identity.User{}, err
	}
	e.certificate <- certificate
	connection := <-e.connected
	if connection == nil {
		return identity.User{}, errNoConnection
	}
	defer connection.Close() //nolint:errcheck // It has served its purpose.
	config, timeout := settled(configAs(e.client.endpoint, nil, kubeconfig.Credentials{}, e.client.answerTimeout), userAgent, nil)
	onIt := &http.Client{CheckRedirect: checkRedirect, Transport: checkResponses(pathOf(config))(transport.NewUserAgentRoundTripper(userAgent, boundAnswers(&http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return connection, nil },
	})))}
	return e.client.whoAmIOver(ctx, onIt, config, timeout)
}
