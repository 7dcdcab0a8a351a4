package enforcement

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
)

// Client talks to one API server about revocation.
type Client struct{ api *connection.Connection }

// On makes a client that calls the API server over a connection.
func On(api *connection.Connection) *Client { return &Client{api: api} }

// Listed is the list as an API server has it.
type Listed struct {
	List access.List
	// Exists is false where the ConfigMap does not exist.
	Exists bool
	// UID is that of the ConfigMap, and IsAccepted says that somebody accepted it in the place
	// of those that were deleted before.
	UID        string
	IsAccepted bool
	// Version is where a watch continues from.
	Version string
}

// onlyTheList selects the ConfigMap of the list, for which permission by its name is enough.
func onlyTheList() metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, access.BlockName).String()}
}

// List reads the list.
func (c *Client) List(ctx context.Context) (Listed, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	stored, err := c.api.Core.ConfigMaps(access.BlockNamespace).List(call, onlyTheList())
	if err != nil {
		return Listed{}, c.api.Explain(ctx, err, "read the list of who is revoked")
	}
	listed := Listed{List: access.ListOf(nil)}
	for i := range stored.Items {
		if stored.Items[i].Name == access.BlockName {
			if listed, err = listedIn(&stored.Items[i]); err != nil {
				return Listed{}, err
			}
		}
	}
	listed.Version = stored.ResourceVersion
	return listed, nil
}

func listedIn(object *corev1.ConfigMap) (Listed, error) {
	return Listed{
		List: access.ListOf(object.Data), Exists: true, UID: string(object.UID), Version: object.ResourceVersion,
		IsAccepted: object.UID != "" && object.Annotations[access.AcceptedAnnotation] == string(object.UID),
	}, access.CheckFormat(object.Annotations)
}

// Watch hands on the list each time it changes after a version, until the server ends the
// stream, which is not an error, or the context ends. It calls opened when the server has agreed.
func (c *Client) Watch(ctx context.Context, version string, opened func(), changed func(Listed)) error {
	const doing = "watch the list of who is revoked"
	options := onlyTheList()
	options.ResourceVersion = version
	explain := func(err error) error { return c.api.Explain(ctx, err, doing) }
	return c.api.WatchEach(ctx, c.api.Core.ConfigMaps(access.BlockNamespace), options, explain, opened, func(object runtime.Object, isDeleted bool) (bool, error) {
		list, isList := object.(*corev1.ConfigMap)
		switch {
		case !isList || list.Name != access.BlockName:
		case isDeleted:
			changed(Listed{List: access.ListOf(nil), Version: list.ResourceVersion})
		default:
			listed, err := listedIn(list)
			if err != nil {
				return true, err
			}
			changed(listed)
		}
		return true, nil
	})
}
