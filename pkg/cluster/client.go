package cluster

import (
	"context"
	"net/http"

	"k8s.io/apimachinery/pkg/version"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/bindings"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/blocking"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/controlling"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/enforcement"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// Client talks to one API server as one identity. Its methods may be used by several
// goroutines, except DescribeLogin.
type Client struct {
	target Target
	api    *connection.Connection
}

// New makes a client from a target and what it logs in with. It reads the files that the
// credentials name, and sends nothing.
func New(target Target, credentials Credentials) (*Client, error) {
	config, err := target.configFor(credentials)
	if err != nil {
		return nil, err
	}
	opened, err := connection.Open(target.settings(config))
	if err != nil {
		return nil, err
	}
	return &Client{target: target, api: opened}, nil
}

// With makes a client to the same target that logs in with other credentials and with
// nothing else. Nobody gets the warnings that the server sends it.
func (c *Client) With(credentials Credentials) (*Client, error) {
	target := c.target
	target.Warn = nil
	return New(target, credentials)
}

// over makes a client to the same target over a transport that has logged in.
func (c *Client) over(transport http.RoundTripper) (*Client, error) {
	target := c.target
	target.Warn = nil
	config, err := target.configFor(Credentials{})
	if err != nil {
		return nil, err
	}
	opened, err := connection.OpenOver(target.settings(config), transport)
	if err != nil {
		return nil, err
	}
	return &Client{target: target, api: opened}, nil
}

// Target is what the client was made with.
func (c *Client) Target() Target { return c.target }

// Endpoint is how the cluster is reached, for a user's kubeconfig.
func (c *Client) Endpoint() kubeconfig.Endpoint { return c.target.Endpoint }

// Requests is for CertificateSigningRequest objects.
func (c *Client) Requests() *requests.Client { return requests.On(c.api) }

// Bindings is for roles and role bindings.
func (c *Client) Bindings() *bindings.Client { return bindings.On(c.api) }

// Blocking is for the list of who is blocked and the policy that blocks them.
func (c *Client) Blocking() *blocking.Client { return blocking.On(c.api) }

// Enforcement is for the list of who is revoked, and whether it is in force.
func (c *Client) Enforcement() *enforcement.Client { return enforcement.On(c.api) }

// Resources is for the custom resources of csr-onboard.
func (c *Client) Resources() *resources.Client { return resources.On(c.api) }

// Controlling is for controllers: who leads, and what they report.
func (c *Client) Controlling() *controlling.Client { return controlling.On(c.api) }

// ControlPlane is for questions to the cluster about itself.
func (c *Client) ControlPlane() *controlplane.Client { return controlplane.On(c.api) }

// ServerVersion asks the API server which release it is. Everybody may.
func (c *Client) ServerVersion(ctx context.Context) (*version.Info, error) {
	return c.api.ServerVersion(ctx)
}
