package controlling

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// longestMessage bounds the message of an event, in bytes (Kubernetes
// pkg/apis/core/validation/events.go, NoteLengthLimit).
const longestMessage = 1024

// Events writes events.
type Events struct {
	api      *connection.Connection
	reporter string
}

// Event is one thing that happened to an object.
type Event struct {
	// About is the object. Required.
	About corev1.ObjectReference
	// Reason is a word for programs, such as "UnverifiedCertificate", and Message a sentence for
	// people. Required.
	Reason, Message string
	// IsWarning tells a warning from news.
	IsWarning bool
}

// Emit writes an event. It is written into the namespace default where the object is in none, as
// the API server demands.
func (c *Events) Emit(ctx context.Context, event Event) error {
	namespace := event.About.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	kind := corev1.EventTypeNormal
	if event.IsWarning {
		kind = corev1.EventTypeWarning
	}
	now := metav1.NewTime(c.api.Now())
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	_, err := c.api.Core.Events(namespace).Create(call, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: c.reporter + ".", Namespace: namespace},
		InvolvedObject: event.About, Type: kind, Reason: event.Reason, Message: identity.Shorten(event.Message, longestMessage),
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: c.reporter}, ReportingController: c.reporter, ReportingInstance: c.reporter,
	}, metav1.CreateOptions{})
	return c.api.Explain(ctx, err, "write an event")
}
