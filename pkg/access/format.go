package access

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// FormatAnnotation is how a later version of csr-onboard marks the list of who is blocked
// when it has written it, or the policy that reads it, in a form which this version would misread. This
// version and those before it do not set it.
const FormatAnnotation = "csr-onboard.github.io/format"

// CheckFormat refuses the list of who is blocked if its annotations say that a later version has marked
// it. What such a list says is unknown here, and a change could undo what it is for. The error is an
// outcome.ErrRefused.
func CheckFormat(annotations map[string]string) error {
	format, isMarked := annotations[FormatAnnotation]
	if !isMarked {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrRefused, "the list of who is blocked (configmap %s/%s) has the format %s of a later version of csr-onboard, which this version cannot read",
			BlockNamespace, BlockName, identity.Quote(format)),
		"%s", outcome.UpgradeHint)
}
