package resources

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// ErrNotInstalled is the error of a cluster without the resources of csr-onboard.
var ErrNotInstalled = connection.ErrNotServed

// Client is for the custom resources of csr-onboard on one cluster.
type Client struct{ api *connection.Connection }

// On makes a client that calls the API server over a connection.
func On(api *connection.Connection) *Client { return &Client{api} }

// Records reads and writes the records of the ledger.
type Records = connection.Custom[*ledger.ClientCertificate]

// Records is for the ledger.
func (c *Client) Records() (*Records, error) {
	return connection.NewCustom(c.api, connection.CustomKind[*ledger.ClientCertificate]{
		Version: ledger.GroupVersion, Kind: ledger.Kind, Resource: ledger.Resource, Noun: "client certificate", Nouns: "client certificates", Guide: ledger.Guide,
		New: func() *ledger.ClientCertificate { return &ledger.ClientCertificate{} },
	})
}
