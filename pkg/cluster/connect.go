// Package cluster is the program's one door to the API server.
//
// It submits, finds, decides and awaits CertificateSigningRequests, and asks
// the server who somebody is and what she may do. It promises that a decision
// is sent only for the very object that was reviewed (UID and resourceVersion),
// that a wait ends when its reason does, and that every error says in words what
// the server would not do. It decides nothing itself: what an object means is
// package request's.
package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	admissionregistrationv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	certificatesv1 "k8s.io/client-go/kubernetes/typed/certificates/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	rbacv1 "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// answerTimeout bounds every call but a watch, unless the person said how long
// to wait (--request-timeout): a server that takes a connection and never
// answers must not hold anybody up for ever.
const answerTimeout = 30 * time.Second

// Client talks to one API server as one identity.
type Client struct {
	endpoint       kubeconfig.Endpoint
	requests       certificatesv1.CertificateSigningRequestInterface
	authentication authenticationv1.AuthenticationV1Interface
	authorization  authorizationv1.AuthorizationV1Interface
	rbac           rbacv1.RbacV1Interface
	admission      admissionregistrationv1.AdmissionregistrationV1Interface
	core           corev1.CoreV1Interface
	proxy          func(*http.Request) (*url.URL, error)
	answerTimeout  time.Duration
	transport      *http.Client
	// config is what the client logs in with, and describeLogin what a person calls
	// that; nil where it has no name.
	config        *rest.Config
	describeLogin func() Login
	now           func() time.Time
}

// Connect makes a client from a configuration, which is not changed. It reads
// the files that the configuration names and opens no connection. clusterName
// is what to call the cluster in kubeconfigs; userAgent is how audit logs
// should call this program; warn is handed each warning that the server sends.
func Connect(config *rest.Config, clusterName, userAgent string, warn func(string)) (*Client, error) {
	endpoint, err := endpointOf(config, clusterName)
	if err != nil {
		return nil, err
	}
	return connect(config, endpoint, userAgent, warn)
}

func connect(config *rest.Config, endpoint kubeconfig.Endpoint, userAgent string, warn func(string)) (*Client, error) {
	config, timeout := settled(config, userAgent, warn)
	transport, err := transportFor(config, endpoint)
	if err != nil {
		return nil, err
	}
	certificates, err := certificatesv1.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, err
	}
	authentication, err := authenticationv1.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, err
	}
	authorization, err := authorizationv1.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, err
	}
	rbac, err := rbacv1.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, err
	}
	admission, err := admissionregistrationv1.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, err
	}
	core, err := corev1.NewForConfigAndClient(config, transport)
	if err != nil {
		return nil, err
	}
	return &Client{
		endpoint:       endpoint,
		requests:       certificates.CertificateSigningRequests(),
		authentication: authentication,
		authorization:  authorization,
		rbac:           rbac,
		admission:      admission,
		core:           core,
		proxy:          config.Proxy,
		answerTimeout:  timeout,
		transport:      transport,
		config:         config,
		now:            time.Now,
	}, nil
}

// settled is a configuration as this program talks to API servers, and how long each
// call may take.
func settled(config *rest.Config, userAgent string, warn func(string)) (*rest.Config, time.Duration) {
	config = rest.CopyConfig(config)
	config.UserAgent = userAgent
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	// The server's priority and fairness protects it; client-go's own limit of
	// 5 requests a second only makes people wait.
	config.QPS = -1
	config.WarningHandler = warningHandler(warn)
	config.Wrap(boundAnswers)
	config.Wrap(shareFirstConnection)
	config.Wrap(checkResponses(pathOf(config)))
	// A client timeout would cut watches too: each call bounds itself.
	timeout := config.Timeout
	if timeout == 0 {
		timeout = answerTimeout
	}
	config.Timeout = 0
	return config, timeout
}

// pathOf is the path of a server's address.
func pathOf(config *rest.Config) string {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		// No client is made of it.
		return ""
	}
	return base.Path
}

func transportFor(config *rest.Config, endpoint kubeconfig.Endpoint) (*http.Client, error) {
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("the credentials for %s can't be used: %w", endpoint.Server, err)
	}
	// It may be http.DefaultClient, which is not ours to change.
	staying := *transport
	staying.CheckRedirect = checkRedirect
	return &staying, nil
}

// closeIdle closes the connections that nothing goes over just now. (http.Client's
// own method does not reach through client-go's wrappers.)
func (c *Client) closeIdle() { utilnet.CloseIdleConnectionsFor(c.transport.Transport) }

// Endpoint is how the cluster is reached, for a user's kubeconfig.
func (c *Client) Endpoint() kubeconfig.Endpoint { return c.endpoint }

// bounded gives one call its time to be answered.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.answerTimeout)
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

// warningHandler hands the server's warnings on; client-go would write them to
// standard error as they come, escapes and all.
type warningHandler func(string)

func (h warningHandler) HandleWarningHeader(code int, _, text string) {
	// 299 is a miscellaneous persistent warning, the one that Kubernetes uses.
	if code == 299 && text != "" && h != nil {
		h(text)
	}
}
