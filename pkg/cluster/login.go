package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/earlylogin"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// Login is what a person calls the credentials of a client, and what is known of them
// beyond the client's configuration.
type Login struct {
	// Context is the kubeconfig context's name. Optional.
	Context string
	// Cached is the certificate, in PEM, that csr-onboard hands out as a credential
	// plugin. Optional.
	Cached []byte
}

// DescribeLogin has the client's errors name the credentials as a person does. describe
// is called when there is such an error.
func (c *Client) DescribeLogin(describe func() Login) {
	c.api.DescribeCredentials(func() (string, []byte) {
		login := describe()
		return login.Context, login.Cached
	})
}

// LogsInByCertificate reports whether this client has a client certificate and nothing
// else to log in with, so that an answer to it shows that certificates reach the server.
func (c *Client) LogsInByCertificate() bool { return c.api.IsByCertificate() }

// LogIn logs in to an API server with a certificate and returns whom the server takes its
// holder for.
type LogIn func(ctx context.Context, credentials kubeconfig.Credentials) (identity.User, error)

// LogIn logs in over a connection of its own, which is closed then.
func (t Target) LogIn(ctx context.Context, credentials kubeconfig.Credentials) (identity.User, error) {
	t.Warn = nil
	config, err := t.configFor(ByCertificate(credentials))
	if err != nil {
		return identity.User{}, err
	}
	// For one call, HTTP/2 takes more to set up than there is to gain.
	config.NextProtos = []string{"http/1.1"}
	opened, err := connection.Open(t.settings(config))
	if err != nil {
		return identity.User{}, err
	}
	return (&Client{target: t, api: opened}).whoAmIOnce(ctx)
}

// LogIn is LogIn of the client's target.
func (c *Client) LogIn(ctx context.Context, credentials kubeconfig.Credentials) (identity.User, error) {
	return c.target.LogIn(ctx, credentials)
}

// whoAmIOnce is WhoAmI, and closes the connection.
func (c *Client) whoAmIOnce(ctx context.Context) (identity.User, error) {
	// It would stay open for a minute and a half, and there may be thousands.
	defer c.api.CloseIdle()
	return c.WhoAmI(ctx)
}

// ExpectLogIn is LogIn for a certificate that is expected within moments. Where it can, it
// connects before there is a certificate (see package earlylogin). abandon has to be called.
func (c *Client) ExpectLogIn(ctx context.Context) (logIn LogIn, abandon func()) {
	server, err := c.earlyServer()
	if err != nil {
		return c.LogIn, func() {}
	}
	early := earlylogin.Begin(ctx, server)
	return early.LogIn, early.Abandon
}

var errBehindProxy = errors.New("the server is behind a proxy")

// earlyServer is the client's target for package earlylogin; an error where that cannot
// connect to it.
func (c *Client) earlyServer() (earlylogin.Server, error) {
	address, err := url.Parse(c.target.Endpoint.Server)
	if err != nil {
		return earlylogin.Server{}, err
	}
	settings, err := c.target.anonymous()
	if err != nil {
		return earlylogin.Server{}, err
	}
	if proxy, err := settings.proxy(&http.Request{URL: address}); proxy != nil || err != nil {
		return earlylogin.Server{}, errors.Join(errBehindProxy, err)
	}
	port := address.Port()
	if port == "" {
		port = "443"
	}
	return earlylogin.Server{
		Address: net.JoinHostPort(address.Hostname(), port),
		TLS:     settings.tls,
		LogIn:   c.LogIn,
		WhoAmI: func(ctx context.Context, transport http.RoundTripper) (identity.User, error) {
			over, err := c.over(transport)
			if err != nil {
				return identity.User{}, err
			}
			return over.whoAmIOnce(ctx)
		},
	}, nil
}

// LoginError is the error of a certificate that does not log in as its user.
type LoginError struct {
	// User is the name of the user who should have logged in.
	User string
	// TakenFor is the name of the user whom the server takes the certificate's holder for;
	// "" where Err says why the server did not tell.
	TakenFor string
	Err      error
}

// Error implements error.
func (e *LoginError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("logging in as %q failed: %v", e.User, e.Err)
	}
	return fmt.Sprintf("the cluster accepts the new certificate as %q, not as %q", e.TakenFor, e.User)
}

// Unwrap returns why the server did not tell.
func (e *LoginError) Unwrap() error { return e.Err }

// ProveLogIn proves that a certificate logs in as a user. The error is a LoginError.
func ProveLogIn(ctx context.Context, logIn LogIn, credentials kubeconfig.Credentials, user string) (identity.User, error) {
	me, err := logIn(ctx, credentials)
	switch {
	case err != nil:
		return identity.User{}, &LoginError{User: user, Err: err}
	case me.Name != user:
		return identity.User{}, &LoginError{User: user, TakenFor: me.Name}
	}
	return me, nil
}
