package requests

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Client submits, finds, decides and awaits CertificateSigningRequest objects.
type Client struct {
	api *connection.Connection
	// pause is how long is waited between the streams of one watch, more and more.
	pause wait.Backoff
}

// On makes a client that calls the API server over a connection.
func On(api *connection.Connection) *Client {
	return &Client{api: api, pause: wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 6, Cap: 2 * time.Second}}
}

// Submit creates a request object. Where one of that name exists already, it
// returns that one and created is false: whether it is the same request is for
// the caller to check. With dryRun the server checks the object and stores
// nothing.
func (c *Client) Submit(ctx context.Context, object *request.Request, dryRun bool) (_ *request.Request, created bool, _ error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	options := metav1.CreateOptions{}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	stored, err := c.api.Requests.Create(call, object.CertificateSigningRequest, options)
	if apierrors.IsAlreadyExists(err) {
		existing, err := c.Get(ctx, object.Name)
		if err != nil {
			return nil, false, err
		}
		return object.With(existing.CertificateSigningRequest), false, nil
	}
	if apierrors.IsForbidden(err) {
		return nil, false, c.api.ExplainForbidden(ctx, err, fmt.Sprintf("create the certificate signing request %q", object.Name),
			"ask an administrator for permission to create certificatesigningrequests, or to run this command for you")
	}
	if err != nil {
		return nil, false, c.api.Explain(ctx, err, fmt.Sprintf("create the certificate signing request %q", object.Name))
	}
	return object.With(stored), true, nil
}

// Get returns a request object by its name. If there is none, the error is an
// outcome.ErrNotFound.
func (c *Client) Get(ctx context.Context, name string) (*request.Request, error) {
	object, err := c.get(ctx, name)
	// A user's name may be one that no object can have, such as "a/b", for which
	// client-go asks nobody.
	if apierrors.IsNotFound(err) || len(content.IsPathSegmentName(name)) > 0 {
		return nil, outcome.Errorf(outcome.ErrNotFound, "certificate signing request %q not found on %s", name, c.api.Server)
	}
	return object, c.api.Explain(ctx, err, fmt.Sprintf("get the certificate signing request %q", name))
}

func (c *Client) get(ctx context.Context, name string) (*request.Request, error) {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	object, err := c.api.Requests.Get(call, name, metav1.GetOptions{})
	if err == nil && (object.Name != name || object.UID == "") {
		return nil, &connection.ResponseError{Found: "another object", Wanted: "the certificate signing request"}
	}
	return request.Of(object), err
}

// attemptsToDecide bounds how often a decision is sent again because labels or
// annotations of the object moved meanwhile.
const attemptsToDecide = 10

// Decide writes a decision into the object that was reviewed, and no other: the
// update carries its UID and resourceVersion. Where only metadata moved meanwhile,
// the new version is checked against the review and decided; where the object was
// deleted, made again, or decided by somebody else, the error is an
// outcome.ErrChanged and nothing was done. With dryRun the server checks the
// decision and stores nothing.
func (c *Client) Decide(ctx context.Context, review *request.Review, decision request.Decision, message string, dryRun bool) (*request.Request, error) {
	current := review.Object
	doing := fmt.Sprintf("%s the certificate signing request %q", decision.Verb, current.Name)
	options := metav1.UpdateOptions{}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	for range attemptsToDecide {
		call, cancel := c.api.Bounded(ctx)
		updated, err := c.api.Requests.UpdateApproval(call, current.Name, decision.Apply(current, message), options)
		cancel()
		if apierrors.IsForbidden(err) {
			return nil, c.api.ExplainForbidden(ctx, err, doing, connection.NeedToDecide(review.Object.Spec.SignerName))
		}
		switch {
		case err == nil:
			decided := current.With(updated)
			if state := request.StateOf(decided); !decision.Is(state) {
				return nil, fmt.Errorf("could not %s: the API server accepted it, but the request is %s", doing, state)
			}
			return decided, nil
		case !apierrors.IsConflict(err) && !apierrors.IsNotFound(err):
			return nil, c.api.Explain(ctx, err, doing)
		}
		current, err = c.get(ctx, current.Name)
		if apierrors.IsNotFound(err) {
			return nil, outcome.Errorf(outcome.ErrChanged, "certificate signing request %q was deleted after it was reviewed", review.Object.Name)
		}
		if err != nil {
			return nil, c.api.Explain(ctx, err, doing)
		}
		if err := review.CheckSnapshot(current); err != nil {
			return nil, err
		}
	}
	return nil, outcome.WithHint(fmt.Errorf("could not %s: it changes faster than it can be decided", doing),
		"find out who keeps changing it: kubectl get csr -w")
}

// Now is the API server's clock, to the second, from an object that it is asked to
// check and not to store.
func (c *Client) Now(ctx context.Context, object *request.Request) (time.Time, error) {
	checked, _, err := c.Submit(ctx, object, true)
	if err != nil {
		return time.Time{}, err
	}
	return checked.CreationTimestamp.Time, nil
}

// Delete deletes a request that this client made, and no other of its name.
func (c *Client) Delete(ctx context.Context, object *request.Request) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	err := c.api.Requests.Delete(call, object.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &object.UID}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return c.api.Explain(ctx, err, fmt.Sprintf("delete the certificate signing request %q", object.Name))
}
