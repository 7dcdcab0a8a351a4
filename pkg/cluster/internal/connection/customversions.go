package connection

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// WhyNotServed is an error as it is, but for an ErrNotServed: where the API server serves the custom
// resource in other versions, which a later csr-onboard has installed, it is an outcome.ErrRefused. That
// takes further calls.
func (c *Custom[T]) WhyNotServed(ctx context.Context, err error) error {
	if !errors.Is(err, ErrNotServed) {
		return err
	}
	served, versionsErr := c.otherVersions(ctx)
	switch {
	case apierrors.IsForbidden(versionsErr):
		return err
	case versionsErr != nil:
		return c.api.Explain(ctx, versionsErr, "find out in which versions "+c.kind.Nouns+" are served")
	case len(served) == 0:
		return err
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrRefused, "%s serves %s.%s in %s only: a later version of csr-onboard was installed there, and this version reads %s",
			c.api.Server, c.kind.Resource, c.kind.Version.Group, identity.Printable(strings.Join(served, ", ")), c.kind.Version.Version),
		"%s", outcome.UpgradeHint)
}

// otherVersions are those of the group in which the API server serves the custom resource.
func (c *Custom[T]) otherVersions(ctx context.Context) (served []string, _ error) {
	var group metav1.APIGroup
	if err := c.discover(ctx, &group, c.kind.Version.Group); err != nil {
		return nil, err
	}
	for _, one := range group.Versions {
		if one.Version == c.kind.Version.Version {
			continue
		}
		var list metav1.APIResourceList
		if err := c.discover(ctx, &list, c.kind.Version.Group, one.Version); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == c.kind.Resource }) {
			served = append(served, one.Version)
		}
	}
	return served, nil
}

// discover reads what the API server says of a group, or of one version of it. Nothing is read of what
// does not exist.
func (c *Custom[T]) discover(ctx context.Context, into any, path ...string) error {
	call, cancel := c.api.Bounded(ctx)
	defer cancel()
	data, err := c.rest.Get().AbsPath(append([]string{"/apis"}, path...)...).Do(call).Raw()
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
