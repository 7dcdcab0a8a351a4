package onboard

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// TellRecorded tells what came of recording an issued certificate where no recorder runs. A user who
// cannot do so need not: nothing is told of it.
func (p *Program) TellRecorded(issued *request.Request, isNew bool, err error) {
	if err != nil && !apierrors.IsForbidden(err) {
		p.Tell(NotRecorded{Reason: err})
	}
	if isNew {
		p.Tell(Recorded{Request: issued.Name})
	}
}
