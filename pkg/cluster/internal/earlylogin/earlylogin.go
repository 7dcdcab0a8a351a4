package earlylogin

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// Server is where to log in, and how.
type Server struct {
	// Address is the host and port to connect to.
	Address string
	// TLS is how the server is verified. It is changed.
	TLS *tls.Config
	// LogIn is an ordinary login.
	LogIn func(ctx context.Context, credentials kubeconfig.Credentials) (identity.User, error)
	// WhoAmI asks the server, over a transport that has logged in, whom it takes that for.
	WhoAmI func(ctx context.Context, transport http.RoundTripper) (identity.User, error)
}

// Login is a login that was started before there is a certificate to log in with.
type Login struct {
	server  Server
	abandon context.CancelFunc

	certificate chan tls.Certificate
	// connected gets the connection, or nil if there is none.
	connected chan *tls.Conn
}

// patience is how long the server is left waiting for the certificate.
const patience = 5 * time.Second

// Begin starts a login with a certificate that is expected within moments. Abandon has to be
// called. An error of it is not told: LogIn logs in from the start then.
func Begin(ctx context.Context, server Server) *Login {
	l := &Login{server: server, certificate: make(chan tls.Certificate, 1), connected: make(chan *tls.Conn, 1)}
	ctx, l.abandon = context.WithTimeout(ctx, patience)
	go func() {
		connection, err := l.greet(ctx)
		if err != nil {
			connection = nil
		}
		l.connected <- connection
	}()
	return l
}

// Abandon ends the login if it is not done yet.
func (l *Login) Abandon() { l.abandon() }

func (l *Login) greet(ctx context.Context) (*tls.Conn, error) {
	settings := l.server.TLS
	settings.NextProtos = []string{"http/1.1"}
	settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		select {
		case certificate := <-l.certificate:
			return &certificate, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	dialer := tls.Dialer{Config: settings}
	connection, err := dialer.DialContext(ctx, "tcp", l.server.Address)
	if err != nil {
		return nil, err
	}
	return connection.(*tls.Conn), nil
}

// LogIn logs in with the certificate, over the connection that Begin made, or as an ordinary
// login does where that failed.
func (l *Login) LogIn(ctx context.Context, credentials kubeconfig.Credentials) (identity.User, error) {
	if user, err := l.finish(ctx, credentials); err == nil {
		return user, nil
	}
	return l.server.LogIn(ctx, credentials)
}

var errNoConnection = errors.New("not connected")

func (l *Login) finish(ctx context.Context, credentials kubeconfig.Credentials) (identity.User, error) {
	certificate, err := tls.X509KeyPair(credentials.Certificate, credentials.Key)
	if err != nil {
		return identity.User{}, err
	}
	l.certificate <- certificate
	connection := <-l.connected
	if connection == nil {
		return identity.User{}, errNoConnection
	}
	defer connection.Close() //nolint:errcheck // It has served its purpose.
	return l.server.WhoAmI(ctx, &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return connection, nil },
	})
}
