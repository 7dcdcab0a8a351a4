package cluster

import (
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// connect makes a client from a configuration.
func connect(config *rest.Config) (*Client, error) {
	target, credentials, err := FromKubeconfig(config, "c")
	if err != nil {
		return nil, err
	}
	target.UserAgent, target.Now = "test", time.Now
	return New(target, credentials)
}

// clientOf is connect for a configuration without a mistake.
func clientOf(t *testing.T, config *rest.Config) *Client {
	t.Helper()
	client, err := connect(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
