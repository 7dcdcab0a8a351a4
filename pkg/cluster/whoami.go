package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// WhoAmI asks the server whom it takes this client for (SelfSubjectReview,
// Kubernetes 1.28 and later). The groups hold system:authenticated as well.
func (c *Client) WhoAmI(ctx context.Context) (identity.User, error) {
	user, _, err := c.Self(ctx)
	return user, err
}

// Self is WhoAmI with the ids of the credentials that this client logs in with
// (access.CredentialIDKey); a certificate has one.
func (c *Client) Self(ctx context.Context) (user identity.User, credentials []string, _ error) {
	call, cancel := c.bounded(ctx)
	defer cancel()
	review, err := c.authentication.SelfSubjectReviews().Create(call, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) && !isForeignAnswer(err) {
		return identity.User{}, nil, outcome.WithHint(
			fmt.Errorf("could not ask the server who this is: %s does not serve SelfSubjectReview of authentication.k8s.io/v1", c.endpoint.Server),
			"it takes Kubernetes 1.28 or later; if the cluster has that, check the address and its path")
	}
	if err != nil {
		return identity.User{}, nil, c.explain(ctx, err, "ask the server who this is")
	}
	info := review.Status.UserInfo
	if info.Username == "" {
		// Without a name nobody is logged in: even anonymous calls have one.
		return identity.User{}, nil, c.explain(ctx, &responseError{found: "nobody's name", wanted: "a user"}, "ask the server who this is")
	}
	return identity.User{Name: info.Username, Groups: info.Groups}, info.Extra[access.CredentialIDKey], nil
}

// LogIn connects with a user's new credentials and asks the server who she is.
func (c *Client) LogIn(ctx context.Context, credentials kubeconfig.Credentials, userAgent string) (identity.User, error) {
	config := configAs(c.endpoint, c.proxy, credentials, c.answerTimeout)
	// For one call, HTTP/2 takes more to set up than there is to gain.
	config.NextProtos = []string{"http/1.1"}
	config, timeout := settled(config, userAgent, nil)
	transport, err := transportFor(config, c.endpoint)
	if err != nil {
		return identity.User{}, err
	}
	return c.whoAmIOver(ctx, transport, config, timeout)
}

// whoAmIOver asks the server who somebody is, over her own connection, which is closed
// then.
func (c *Client) whoAmIOver(ctx context.Context, transport *http.Client, config *rest.Config, timeout time.Duration) (identity.User, error) {
	authentication, err := authenticationclient.NewForConfigAndClient(config, transport)
	if err != nil {
		return identity.User{}, err
	}
	client := &Client{endpoint: c.endpoint, authentication: authentication, answerTimeout: timeout, transport: transport, config: config, now: c.now}
	// It would stay open for a minute and a half, and there may be thousands.
	defer client.closeIdle()
	return client.WhoAmI(ctx)
}

// As is a client to the same server that logs in with other credentials and with
// nothing else.
func (c *Client) As(credentials kubeconfig.Credentials, userAgent string) (*Client, error) {
	return connectAs(c.endpoint, c.proxy, credentials, userAgent, c.answerTimeout)
}

// ByEndpoint is As by what Endpoint says alone, as from a kubeconfig that holds it:
// without the credentials that this client's proxy may ask for.
func (c *Client) ByEndpoint(credentials kubeconfig.Credentials, userAgent string) (*Client, error) {
	return ConnectAs(c.endpoint, credentials, userAgent, c.answerTimeout)
}

// LogIn connects to an endpoint with a user's new credentials and asks the server
// who she is, for as long as timeout. Where there is no way to the server, the error
// is ErrUnreachable.
func LogIn(ctx context.Context, endpoint kubeconfig.Endpoint, credentials kubeconfig.Credentials, userAgent string, timeout time.Duration) (identity.User, error) {
	client, err := ConnectAs(endpoint, credentials, userAgent, timeout)
	if err != nil {
		return identity.User{}, err
	}
	return client.WhoAmI(ctx)
}

// ConnectAs makes a client to an endpoint that logs in with a user's credentials. It
// opens no connection. timeout bounds every call but a watch; 0 is this package's
// own.
func ConnectAs(endpoint kubeconfig.Endpoint, credentials kubeconfig.Credentials, userAgent string, timeout time.Duration) (*Client, error) {
	proxy := http.ProxyFromEnvironment
	if endpoint.ProxyURL != "" {
		address, err := url.Parse(endpoint.ProxyURL)
		if err != nil {
			return nil, fmt.Errorf("invalid proxy-url %q", kubeconfig.ShownAddress(endpoint.ProxyURL))
		}
		proxy = http.ProxyURL(address)
	}
	return connectAs(endpoint, proxy, credentials, userAgent, timeout)
}

func connectAs(endpoint kubeconfig.Endpoint, proxy func(*http.Request) (*url.URL, error), credentials kubeconfig.Credentials, userAgent string, timeout time.Duration) (*Client, error) {
	return connect(configAs(endpoint, proxy, credentials, timeout), endpoint, userAgent, nil)
}

func configAs(endpoint kubeconfig.Endpoint, proxy func(*http.Request) (*url.URL, error), credentials kubeconfig.Credentials, timeout time.Duration) *rest.Config {
	return &rest.Config{
		Host: endpoint.Server,
		TLSClientConfig: rest.TLSClientConfig{
			CAData:     endpoint.CertificateAuthority,
			ServerName: endpoint.ServerName,
			Insecure:   endpoint.InsecureSkipVerify,
			CertData:   credentials.Certificate,
			KeyData:    credentials.Key,
		},
		DisableCompression: endpoint.DisableCompression,
		Proxy:              proxy,
		Timeout:            timeout,
	}
}

// needToDecide names the two rights that an approval and a denial take (Kubernetes
// plugin/pkg/admission/certificates/approval).
func needToDecide(signer string) string {
	return `it takes "update" on certificatesigningrequests/approval and "approve" on signers named ` + identity.Printable(signer) + `; ask a cluster administrator`
}

// CheckMayDecide asks the server whether this client may decide about requests
// for a signer, before anything is made or shown. A server that won't
// answer the question is taken for a yes: the approval itself will tell.
func (c *Client) CheckMayDecide(ctx context.Context, signer string) error {
	needed := []authorizationv1.ResourceAttributes{
		{Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Subresource: "approval", Verb: "update"},
		{Group: "certificates.k8s.io", Resource: "signers", Name: signer, Verb: "approve"},
	}
	type answer struct {
		allowed bool
		err     error
	}
	answers := make(chan answer, len(needed))
	for _, attributes := range needed {
		go func() {
			call, cancel := c.bounded(ctx)
			defer cancel()
			review, err := c.authorization.SelfSubjectAccessReviews().Create(call, &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
			}, metav1.CreateOptions{})
			answers <- answer{err == nil && review.Status.Allowed, err}
		}()
	}
	var denied bool
	var failed error
	for range needed {
		a := <-answers
		switch {
		case a.err != nil:
			failed = a.err
		case !a.allowed:
			denied = true
		}
	}
	switch {
	case denied:
		return outcome.WithHint(
			fmt.Errorf("you may not approve or deny certificate signing requests on %s", c.endpoint.Server), "%s", needToDecide(signer))
	case failed != nil && !isAnswer(failed):
		return c.explain(ctx, failed, "ask what you may do")
	}
	return nil
}
