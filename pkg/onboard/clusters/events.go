package clusters

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// NotDone says of one cluster among several why a command was not completed there.
type NotDone struct {
	event.Marker

	Cluster string
	Reason  error
}
