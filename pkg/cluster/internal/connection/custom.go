package connection

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// CustomObject is an object of a custom resource, by its pointer.
type CustomObject interface {
	runtime.Object
	metav1.Object
}

// CustomKind says what a custom resource that is not in a namespace is.
type CustomKind[T CustomObject] struct {
	// Version has the group and version, such as "csr-onboard.github.io/v1alpha1", Kind the kind,
	// such as "ClientCertificate", and Resource the plural, such as "clientcertificates". Required.
	Version        schema.GroupVersion
	Kind, Resource string
	// Noun says what one object is, and Nouns what several are, for messages, such as "client
	// certificate". Required.
	Noun, Nouns string
	// Guide is where it is explained how the resource is installed. Required.
	Guide string
	// New is an empty object. Required.
	New func() T
}

// customList is a page of a list of custom resources.
type customList[T CustomObject] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []T `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (l *customList[T]) DeepCopyObject() runtime.Object {
	items := make([]T, len(l.Items))
	for i, item := range l.Items {
		// A type's copies are of that type.
		items[i], _ = item.DeepCopyObject().(T)
	}
	return &customList[T]{TypeMeta: l.TypeMeta, ListMeta: *l.DeepCopy(), Items: items}
}

// ErrNotServed is the error of a custom resource whose definition is not installed.
var ErrNotServed = errors.New("not served")

// Custom reads and writes the objects of one custom resource, in JSON, the form in which API
// servers store and check them. A custom resource whose definition is not installed is an
// ErrNotServed. EachPage, CheckListable and Watch return it also where other versions are served: see
// WhyNotServed.
type Custom[T CustomObject] struct {
	api  *Connection
	kind CustomKind[T]
	rest rest.Interface
}

// NewCustom makes a client of a custom resource. It sends nothing.
func NewCustom[T CustomObject](api *Connection, kind CustomKind[T]) (*Custom[T], error) {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(kind.Version.WithKind(kind.Kind), kind.New())
	scheme.AddKnownTypeWithName(kind.Version.WithKind(kind.Kind+"List"), &customList[T]{})
	metav1.AddToGroupVersion(scheme, kind.Version)
	config := rest.CopyConfig(api.config)
	config.GroupVersion, config.APIPath = &kind.Version, "/apis"
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	client, err := rest.RESTClientForConfigAndClient(config, api.transport)
	if err != nil {
		return nil, err
	}
	return &Custom[T]{api: api, kind: kind, rest: client}, nil
}

// options writes the options of a list or watch for the server.
func (c *Custom[T]) options(request *rest.Request, options metav1.ListOptions) *rest.Request {
	return request.Resource(c.kind.Resource).SpecificallyVersionedParams(&options, metav1.ParameterCodec, schema.GroupVersion{Version: "v1"})
}

// Get reads an object by its name. An object that does not exist is an outcome.ErrNotFound.
func (c *Custom[T]) Get(ctx context.Context, name string) (T, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	found := c.kind.New()
	err := c.rest.Get().Resource(c.kind.Resource).Name(name).Do(call).Into(found)
	if err == nil && found.GetName() != name {
		err = &ResponseError{Found: "another object", Wanted: "the " + c.kind.Noun}
	}
	return found, c.WhyNotServed(ctx, c.explain(ctx, err, fmt.Sprintf("get the %s %q", c.kind.Noun, name)))
}

// Create stores an object. isNew is false where one of that name exists, which stays as it is.
func (c *Custom[T]) Create(ctx context.Context, object T) (stored T, isNew bool, _ error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	stored = c.kind.New()
	err := c.rest.Post().Resource(c.kind.Resource).Body(object).Do(call).Into(stored)
	if apierrors.IsAlreadyExists(err) {
		return object, false, nil
	}
	return stored, err == nil, c.WhyNotServed(ctx, c.explain(ctx, err, fmt.Sprintf("create the %s %q", c.kind.Noun, object.GetName())))
}

// UpdateStatus replaces the status of an object as it was read. An object that changed
// meanwhile is an outcome.ErrChanged.
func (c *Custom[T]) UpdateStatus(ctx context.Context, object T) (T, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	stored := c.kind.New()
	doing := fmt.Sprintf("update the status of the %s %q", c.kind.Noun, object.GetName())
	err := c.rest.Put().Resource(c.kind.Resource).Name(object.GetName()).SubResource("status").Body(object).Do(call).Into(stored)
	if apierrors.IsConflict(err) {
		return stored, outcome.Errorf(outcome.ErrChanged, "%w", c.api.Explain(ctx, err, doing))
	}
	return stored, c.WhyNotServed(ctx, c.explain(ctx, err, doing))
}

// Delete removes an object as it was read, and no later one of its name. An object that does
// not exist is not an error.
func (c *Custom[T]) Delete(ctx context.Context, object T) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	uid := object.GetUID()
	err := c.rest.Delete().Resource(c.kind.Resource).Name(object.GetName()).Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}).Do(call).Error()
	if apierrors.IsNotFound(err) {
		return nil
	}
	return c.explain(ctx, err, fmt.Sprintf("delete the %s %q", c.kind.Noun, object.GetName()))
}

// EachPage hands over the objects of a list, page after page in the order of their names, and
// returns the list's resourceVersion. fieldSelector selects by the resource's selectable fields;
// "" takes all. visit may keep what it is given.
func (c *Custom[T]) EachPage(ctx context.Context, fieldSelector string, visit func([]T) error) (resourceVersion string, _ error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var visitErr error
	resourceVersion, err := EachPage(reading, c.api, metav1.ListOptions{FieldSelector: fieldSelector}, func(call context.Context, options metav1.ListOptions) (*customList[T], error) {
		page := &customList[T]{}
		return page, c.options(c.rest.Get(), options).Do(call).Into(page)
	}, func(page *customList[T]) {
		if visitErr == nil {
			if visitErr = visit(page.Items); visitErr != nil {
				stop()
			}
		}
	})
	if visitErr != nil {
		return "", visitErr
	}
	return resourceVersion, c.explain(ctx, err, "list "+c.kind.Nouns)
}

// CheckListable asks for one object, and says why this client cannot list them; nil if it can.
func (c *Custom[T]) CheckListable(ctx context.Context) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	err := c.options(c.rest.Get(), metav1.ListOptions{Limit: 1}).Do(call).Into(&customList[T]{})
	return c.explain(ctx, err, "list "+c.kind.Nouns)
}

// CustomChange is one version of an object, as a watch sees it.
type CustomChange[T CustomObject] struct {
	// Object is the object as it is now, or as it was last.
	Object T
	// IsDeleted reports that it does not exist any more.
	IsDeleted bool
}

// Watch hands over each change after a resourceVersion, until the server ends the stream, which
// is not an error, or the context ends. Where the server has dropped the changes after that version,
// it returns without an error as well: list again.
func (c *Custom[T]) Watch(ctx context.Context, resourceVersion string, changed func(CustomChange[T])) error {
	doing := "watch " + c.kind.Nouns
	explain := func(err error) error {
		if IsExpired(err) {
			return nil
		}
		return c.explain(ctx, err, doing)
	}
	return c.api.WatchEach(ctx, customWatcher[T]{c}, metav1.ListOptions{ResourceVersion: resourceVersion}, explain, nil, func(object runtime.Object, isDeleted bool) (bool, error) {
		one, isOurs := object.(T)
		if isOurs {
			changed(CustomChange[T]{Object: one, IsDeleted: isDeleted})
		}
		return isOurs, nil
	})
}

// customWatcher opens the streams of a custom resource.
type customWatcher[T CustomObject] struct{ of *Custom[T] }

// Watch implements Watcher.
func (w customWatcher[T]) Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	return w.of.options(w.of.rest.Get(), options).Watch(ctx)
}

// explain is Connection.Explain, an outcome.ErrNotFound of an object that does not exist, and an
// ErrNotServed of a resource that does not.
func (c *Custom[T]) explain(ctx context.Context, err error, doing string) error {
	if !apierrors.IsNotFound(err) || ctx.Err() != nil {
		return c.api.Explain(ctx, err, doing)
	}
	var status apierrors.APIStatus
	// Where a path leads nowhere, the response is a text.
	isText := apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
	if errors.As(err, &status) && !isText && status.Status().Details != nil && status.Status().Details.Name != "" {
		return outcome.Errorf(outcome.ErrNotFound, "%s %q not found on %s", c.kind.Noun, status.Status().Details.Name, c.api.Server)
	}
	return outcome.WithHint(outcome.Errorf(ErrNotServed, "could not %s: %s does not serve %s.%s", doing, c.api.Server, c.kind.Resource, c.kind.Version.Group),
		"install it on the cluster first: %s#install", c.kind.Guide)
}
