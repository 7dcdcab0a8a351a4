package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Questions to a cluster about itself. Each answers with an error where the
// question could not be asked: what is not known is never taken for a yes.

// systemNamespace is where a control plane keeps what is its own.
const systemNamespace = metav1.NamespaceSystem

// Right is something that a client may do or not.
type Right struct {
	Group, Resource, Subresource, Name, Verb string
}

// RequestRight is the right to do something with all certificate signing requests, or with
// a subresource of them, such as "approval"; "" is the object itself.
func RequestRight(subresource, verb string) Right {
	return Right{Group: certificatesv1.GroupName, Resource: "certificatesigningrequests", Subresource: subresource, Verb: verb}
}

// MayI asks whether this client has a right (SelfSubjectAccessReview).
func (c *Client) MayI(ctx context.Context, right Right) (bool, error) {
	call, cancel := c.bounded(ctx)
	defer cancel()
	review, err := c.authorization.SelfSubjectAccessReviews().Create(call, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: right.Group, Resource: right.Resource, Subresource: right.Subresource, Name: right.Name, Verb: right.Verb,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, c.explain(ctx, err, "ask what you may do")
	}
	return review.Status.Allowed, nil
}

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
	info, err := c.ServerVersion(ctx)
	if err != nil {
		return "", err
	}
	return info.GitVersion, nil
}

// ControllerManagerSeen is when a controller manager last renewed its lease; the zero
// time if there is no lease.
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
	call, cancel := c.bounded(ctx)
	defer cancel()
	_, err := c.core.ServiceAccounts(systemNamespace).Get(call, "certificate-controller", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, c.explain(ctx, err, "look for the signing controller's service account")
}

// ControllerManagerFlags are the flags of the controller manager's pod, as kubeadm
// runs it; nil if there is no such pod.
func (c *Client) ControllerManagerFlags(ctx context.Context) ([]string, error) {
	call, cancel := c.bounded(ctx)
	defer cancel()
	pods, err := c.core.Pods(systemNamespace).List(call, metav1.ListOptions{LabelSelector: "component=kube-controller-manager"})
	if err != nil {
		return nil, c.explain(ctx, err, "look for the controller manager's pod")
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
	call, cancel := c.bounded(ctx)
	defer cancel()
	authentication, err := c.core.ConfigMaps(systemNamespace).Get(call, "extension-apiserver-authentication", metav1.GetOptions{})
	if err != nil {
		return nil, c.explain(ctx, err, "read whose client certificates the API server takes")
	}
	return []byte(authentication.Data["client-ca-file"]), nil
}

// Now is the API server's clock, to the second, from an object that it is asked to
// check and not to store.
func (c *Client) Now(ctx context.Context, object *certificatesv1.CertificateSigningRequest) (time.Time, error) {
	checked, _, err := c.Submit(ctx, object, true)
	if err != nil {
		return time.Time{}, err
	}
	return checked.CreationTimestamp.Time, nil
}

// Delete deletes a request that this client made, and no other of its name.
func (c *Client) Delete(ctx context.Context, object *certificatesv1.CertificateSigningRequest) error {
	call, cancel := c.bounded(ctx)
	defer cancel()
	err := c.requests.Delete(call, object.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &object.UID}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return c.explain(ctx, err, fmt.Sprintf("delete the certificate signing request %q", object.Name))
}

// read gets a path as JSON, into a value unless it is nil.
func (c *Client) read(ctx context.Context, path string, into any) error {
	call, cancel := c.bounded(ctx)
	defer cancel()
	text, err := c.core.RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(call)
	switch {
	case apierrors.IsNotFound(err):
		return err
	case err != nil:
		return c.explain(ctx, err, "read "+path)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}
