package controlling

import "github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"

// Client is for controllers.
type Client struct{ api *connection.Connection }

// On makes a client that calls the API server over a connection.
func On(api *connection.Connection) *Client { return &Client{api} }

// Leases is client-go's client of Leases, for its leader election.
func (c *Client) Leases() connection.Leases { return c.api.Coordination }

// Events is for events that a controller reports. reporter names it, such as "csr-onboard-ledger".
func (c *Client) Events(reporter string) *Events { return &Events{c.api, reporter} }
