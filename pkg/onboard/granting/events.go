package granting

import "github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"

// UserUnknown reports that nothing on the cluster names a user.
type UserUnknown struct {
	event.Marker

	Name string
}
