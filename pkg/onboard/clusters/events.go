package clusters

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// NotDone says of one cluster among several why a command was not completed there.
type NotDone struct {
	event.Marker

	Cluster string
	Reason  error
}

// NextSteps says how it continues after requests were submitted to several clusters.
type NextSteps struct {
	event.Marker

	Approve, Fetch identity.Command
}
