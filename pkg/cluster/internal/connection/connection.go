package connection

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	admissionregistrationv1 "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	certificatesv1 "k8s.io/client-go/kubernetes/typed/certificates/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	rbacv1 "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// defaultTimeout bounds every call but a watch, unless the user gave another time
// (--request-timeout): a server that accepts a connection and never answers must not
// block the program forever.
const defaultTimeout = 30 * time.Second

// Connection is how one identity calls one API server.
type Connection struct {
	// Server is the address of the API server, for messages.
	Server string
	// Requests and the others are client-go's typed clients for what is called.
	Requests       certificatesv1.CertificateSigningRequestInterface
	Authentication authenticationv1.AuthenticationV1Interface
	Authorization  authorizationv1.AuthorizationV1Interface
	RBAC           rbacv1.RbacV1Interface
	Admission      admissionregistrationv1.AdmissionregistrationV1Interface
	Core           corev1.CoreV1Interface
	Coordination   coordinationv1.CoordinationV1Interface
	// Now is the clock.
	Now func() time.Time

	timeout   time.Duration
	transport *http.Client
	config    *rest.Config
	// describeCredentials returns the name of the kubeconfig's context and the cached
	// certificate, in PEM; nil where nobody knows them.
	describeCredentials func() (contextName string, cached []byte)
}

// Settings are what a connection is made with.
type Settings struct {
	// Config has the address of the server and the credentials. Its Timeout bounds every
	// call but a watch; 0 is 30 seconds. It is not changed.
	Config *rest.Config
	// UserAgent names csr-onboard in audit logs.
	UserAgent string
	// Warn gets each warning that the server sends. Optional.
	Warn func(string)
	// Trace gets each call. Optional.
	Trace func(Call)
	// Now is the clock.
	Now func() time.Time
}

// Open makes a connection. Nothing is sent yet.
func Open(settings Settings) (*Connection, error) {
	config, timeout := settings.complete()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("the connection to %s cannot be set up: %w", config.Host, err)
	}
	return open(config, client, timeout, settings.Now)
}

// OpenOver is Open over a transport that has logged in already. The credentials of the
// settings are not used.
func OpenOver(settings Settings, over http.RoundTripper) (*Connection, error) {
	config, timeout := settings.complete()
	checked := checkResponses(pathOf(config))(transport.NewUserAgentRoundTripper(settings.UserAgent, boundAnswers(over)))
	traced := traceCalls(settings.Trace, settings.Now)(checked)
	return open(config, &http.Client{Transport: traced}, timeout, settings.Now)
}

func open(config *rest.Config, client *http.Client, timeout time.Duration, now func() time.Time) (*Connection, error) {
	// It may be http.DefaultClient, which must not be changed.
	staying := *client
	staying.CheckRedirect = checkRedirect
	certificates, err := certificatesv1.NewForConfigAndClient(config, &staying)
	if err != nil {
		return nil, err
	}
	authentication, err := authenticationv1.NewForConfigAndClient(config, &staying)
	if err != nil {
		return nil, err
	}
	authorization, err := authorizationv1.NewForConfigAndClient(config, &staying)
	if err != nil {
		return nil, err
	}
	rbac, err := rbacv1.NewForConfigAndClient(config, &staying)
	if err != nil {
		return nil, err
	}
	admission, err := admissionregistrationv1.NewForConfigAndClient(config, &staying)
	if err != nil {
		return nil, err
	}
	core, err := corev1.NewForConfigAndClient(config, &staying)
	if err != nil {
		return nil, err
	}
	coordination, err := coordinationv1.NewForConfigAndClient(config, &staying)
	if err != nil {
		return nil, err
	}
	return &Connection{
		Server:         config.Host,
		Requests:       certificates.CertificateSigningRequests(),
		Authentication: authentication,
		Authorization:  authorization,
		RBAC:           rbac,
		Admission:      admission,
		Core:           core,
		Coordination:   coordination,
		Now:            now,
		timeout:        timeout,
		transport:      &staying,
		config:         config,
	}, nil
}

// complete is the configuration with which csr-onboard calls API servers, and how long
// each call may take.
func (s Settings) complete() (*rest.Config, time.Duration) {
	config := rest.CopyConfig(s.Config)
	config.UserAgent = s.UserAgent
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	// The server's priority and fairness protects it; client-go's own limit of
	// 5 requests a second only makes people wait.
	config.QPS = -1
	config.WarningHandler = warningHandler(s.Warn)
	config.Wrap(boundAnswers)
	config.Wrap(shareFirstConnection)
	config.Wrap(checkResponses(pathOf(config)))
	config.Wrap(traceCalls(s.Trace, s.Now))
	// A client timeout would cut watches too: each call bounds itself.
	timeout := config.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
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

// CloseIdle closes the connections that are not in use. (http.Client's own method does not
// reach through client-go's wrappers.)
func (c *Connection) CloseIdle() { utilnet.CloseIdleConnectionsFor(c.transport.Transport) }

// Bounded gives one call its time to be answered.
func (c *Connection) Bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
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
