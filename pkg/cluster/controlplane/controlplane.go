package controlplane

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
)

// Client asks a cluster about itself.
type Client struct{ api *connection.Connection }

// On makes a client that calls the API server over a connection.
func On(api *connection.Connection) *Client { return &Client{api: api} }

// systemNamespace is where a control plane keeps what is its own.
const systemNamespace = metav1.NamespaceSystem

// ServesCertificates asks whether certificates.k8s.io/v1 is served.
func (c *Client) ServesCertificates(ctx context.Context) (bool, error) {
	err := c.read(ctx, "/apis/"+certificatesv1.SchemeGroupVersion.String(), nil)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Version is the API server's.
func (c *Client) Version(ctx context.Context) (string, error) {
	info, err := c.api.ServerVersion(ctx)
	if err != nil {
		return "", err
	}
	return info.GitVersion, nil
}

// ControllerManagerSeen is when a controller manager last renewed its lease; the zero
// time without a lease.
func (c *Client) ControllerManagerSeen(ctx context.Context) (time.Time, error) {
	var lease coordinationv1.Lease
	err := c.read(ctx, "/apis/coordination.k8s.io/v1/namespaces/"+systemNamespace+"/leases/kube-controller-manager", &lease)
	if apierrors.IsNotFound(err) || err == nil && lease.Spec.RenewTime == nil {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return lease.Spec.RenewTime.Time, nil
}

// HasCertificateController asks whether the signing controller has a service account
// of its own, which the controller manager makes where
// --use-service-account-credentials is on.
func (c *Client) HasCertificateController(ctx context.Context) (bool, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	_, err := c.api.Core.ServiceAccounts(systemNamespace).Get(call, "certificate-controller", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, c.api.Explain(ctx, err, "look for the signing controller's service account")
}

// ControllerManagerFlags are the flags of the controller manager's pod, as kubeadm
// runs it; nil without such a pod.
func (c *Client) ControllerManagerFlags(ctx context.Context) ([]string, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	pods, err := c.api.Core.Pods(systemNamespace).List(call, metav1.ListOptions{LabelSelector: "component=kube-controller-manager"})
	if err != nil {
		return nil, c.api.Explain(ctx, err, "look for the controller manager's pod")
	}
	for _, pod := range pods.Items {
		for _, container := range pod.Spec.Containers {
			words := slices.Concat(container.Command, container.Args)
			return slices.DeleteFunc(words, func(word string) bool { return !strings.HasPrefix(word, "--") }), nil
		}
	}
	return nil, nil
}

// ClientAuthorities are the authorities, in PEM, whose client certificates the API
// server takes.
func (c *Client) ClientAuthorities(ctx context.Context) ([]byte, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	authentication, err := c.api.Core.ConfigMaps(systemNamespace).Get(call, "extension-apiserver-authentication", metav1.GetOptions{})
	if err != nil {
		return nil, c.api.Explain(ctx, err, "read which client certificates the API server accepts")
	}
	return []byte(authentication.Data["client-ca-file"]), nil
}

// read gets a path as JSON, into a value unless it is nil.
func (c *Client) read(ctx context.Context, path string, into any) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	text, err := c.api.Core.RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(call)
	switch {
	case apierrors.IsNotFound(err):
		return err
	case err != nil:
		return c.api.Explain(ctx, err, "read "+path)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}
