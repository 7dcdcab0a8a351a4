package controlling

import (
	"context"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const (
	// outcomeReporter is who reports, and outcomeNamespace where. The API server permits events about
	// objects that are in no namespace there, if they have an eventTime (Kubernetes
	// pkg/apis/core/validation/events.go).
	outcomeReporter  = "csr-onboard.github.io/approver"
	outcomeNamespace = metav1.NamespaceSystem
	// outcomePrefix is how the names of those events begin, before the UID of the request.
	outcomePrefix = "csr-onboard-approver."
)

// Outcomes writes and reads what the approver says of requests that it has left to people: one Event
// in kube-system for each, named for the UID of the request. A condition in the request would keep it
// from ever being collected (Kubernetes pkg/controller/certificates/cleaner), and an annotation could
// come from the requester.
//
// Only those who can write Events in kube-system could forge one. It says why nothing was decided, and
// nothing decides by it.
type Outcomes struct{ api *connection.Connection }

// Outcomes is for why the approver has left requests to people.
func (c *Client) Outcomes() *Outcomes { return &Outcomes{c.api} }

// Write says why a request was left to people, in the place of what was said of it before.
func (c *Outcomes) Write(ctx context.Context, about *request.Request, said request.PolicyOutcome) error {
	const doing = "report why a request was left to people"
	kind := corev1.EventTypeNormal
	if said.IsError {
		kind = corev1.EventTypeWarning
	}
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: outcomePrefix + string(about.UID), Namespace: outcomeNamespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: certificatesv1.SchemeGroupVersion.String(), Kind: "CertificateSigningRequest", Name: about.Name, UID: about.UID,
		},
		Type: kind, Reason: policy.ReportedReason(said), Action: "Evaluate", Message: identity.Shorten(said.Why, longestMessage),
		EventTime: metav1.NewMicroTime(c.api.Now()), ReportingController: outcomeReporter, ReportingInstance: outcomeReporter,
	}
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	_, err := c.api.Core.Events(outcomeNamespace).Create(call, event, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = c.api.Core.Events(outcomeNamespace).Update(call, event, metav1.UpdateOptions{})
	}
	return c.api.Explain(ctx, err, doing)
}

// Read reads what was said of the requests that are still there, by their UIDs.
func (c *Outcomes) Read(ctx context.Context) (map[types.UID]request.PolicyOutcome, error) {
	options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("reportingComponent", outcomeReporter).String()}
	said := map[types.UID]request.PolicyOutcome{}
	_, err := connection.EachPage(ctx, c.api, options, c.api.Core.Events(outcomeNamespace).List, func(page *corev1.EventList) {
		for _, event := range page.Items {
			if one, isOutcome := policy.Reported(event.Reason, event.Message); isOutcome {
				said[event.InvolvedObject.UID] = one
			}
		}
	})
	return said, c.api.Explain(ctx, err, "read why requests were left to people")
}
