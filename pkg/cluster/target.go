package cluster

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// Call is one HTTP call to an API server, without bodies and headers.
type Call = connection.Call

// Target is an API server, and how csr-onboard talks to it. It has no credentials but those
// that Proxy may hold.
type Target struct {
	// Endpoint is how the API server is reached. Required.
	Endpoint kubeconfig.Endpoint
	// Proxy returns the proxy for a call, with the credentials that the proxy may require.
	// Optional: the proxy of Endpoint otherwise, or else the environment's (HTTPS_PROXY).
	Proxy func(*http.Request) (*url.URL, error)
	// Timeout bounds every call but a watch. Optional: 30 seconds otherwise.
	Timeout time.Duration
	// UserAgent is how audit logs should call csr-onboard.
	UserAgent string
	// Warn gets each warning that the server sends. Optional.
	Warn func(string)
	// Trace gets each call, from several goroutines. Optional.
	Trace func(Call)
	// Now is the clock. Required.
	Now func() time.Time
}

// FromKubeconfig splits a configuration, as client-go reads it from a kubeconfig and flags,
// into the target and the credentials. clusterName is what to call the cluster in
// kubeconfigs. UserAgent, Warn and Now of the target are left to the caller. It reads the
// files that say how the cluster is reached.
func FromKubeconfig(config *rest.Config, clusterName string) (Target, Credentials, error) {
	endpoint, err := endpointOf(config, clusterName)
	if err != nil {
		return Target{}, Credentials{}, err
	}
	return Target{Endpoint: endpoint, Proxy: config.Proxy, Timeout: config.Timeout}, credentialsOf(config), nil
}

func (t Target) settings(config *rest.Config) connection.Settings {
	return connection.Settings{Config: config, UserAgent: t.UserAgent, Warn: t.Warn, Trace: t.Trace, Now: t.Now}
}

// configFor is the configuration of a client to the target with these credentials.
func (t Target) configFor(credentials Credentials) (*rest.Config, error) {
	proxy := t.Proxy
	if proxy == nil && t.Endpoint.ProxyURL != "" {
		address, err := url.Parse(t.Endpoint.ProxyURL)
		if err != nil {
			return nil, fmt.Errorf("invalid proxy-url %q", kubeconfig.ShownAddress(t.Endpoint.ProxyURL))
		}
		proxy = http.ProxyURL(address)
	}
	config := &rest.Config{
		Host: t.Endpoint.Server,
		TLSClientConfig: rest.TLSClientConfig{
			CAData:     t.Endpoint.CertificateAuthority,
			ServerName: t.Endpoint.ServerName,
			Insecure:   t.Endpoint.InsecureSkipVerify,
		},
		DisableCompression: t.Endpoint.DisableCompression,
		Proxy:              proxy,
		Timeout:            t.Timeout,
	}
	credentials.addTo(config)
	return config, nil
}

// anonymous is what a connection to the target takes that csr-onboard makes itself, without
// credentials.
type anonymous struct {
	// tls is the caller's to change.
	tls   *tls.Config
	proxy func(*http.Request) (*url.URL, error)
}

func (t Target) anonymous() (anonymous, error) {
	config, err := t.configFor(Credentials{})
	if err != nil {
		return anonymous{}, err
	}
	settings, err := rest.TLSConfigFor(config)
	if err != nil {
		return anonymous{}, err
	}
	if settings == nil {
		settings = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	proxy := config.Proxy
	if proxy == nil {
		// As client-go does.
		proxy = http.ProxyFromEnvironment
	}
	return anonymous{tls: settings.Clone(), proxy: proxy}, nil
}

// endpointOf takes from a configuration what says how the cluster is reached,
// and nothing of whose it is.
func endpointOf(config *rest.Config, clusterName string) (kubeconfig.Endpoint, error) {
	// The errors of url.Parse and client-go quote the address, password and all.
	server, err := kubeconfig.ParseServer(config.Host)
	if err != nil {
		return kubeconfig.Endpoint{}, fmt.Errorf("invalid server address: %w", err)
	}
	base, err := url.Parse(server)
	if err != nil {
		return kubeconfig.Endpoint{}, fmt.Errorf("invalid server address %q", server)
	}
	trust := &rest.Config{TLSClientConfig: rest.TLSClientConfig{
		CAData: config.CAData,
		CAFile: config.CAFile,
	}}
	if err := rest.LoadTLSFiles(trust); err != nil {
		return kubeconfig.Endpoint{}, fmt.Errorf("the cluster's certificate authority: %w", err)
	}
	endpoint := kubeconfig.Endpoint{
		Cluster:              clusterName,
		Server:               server,
		CertificateAuthority: trust.CAData,
		ServerName:           config.ServerName,
		InsecureSkipVerify:   config.Insecure,
		DisableCompression:   config.DisableCompression,
	}
	if config.Proxy != nil {
		proxy, err := config.Proxy(&http.Request{URL: base})
		if err != nil || proxy == nil {
			return endpoint, err
		}
		// One person's proxy password does not go into another's kubeconfig.
		if endpoint.ProxyURL, _, err = kubeconfig.ParseProxy(proxy.String()); err != nil {
			return kubeconfig.Endpoint{}, fmt.Errorf("invalid proxy-url: %w", err)
		}
	}
	return endpoint, nil
}
