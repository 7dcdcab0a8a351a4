package options

import (
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// RefusePinGroups refuses a --group that is the group of a pin, with ErrUsage.
func RefusePinGroups(groups ...string) error {
	at := slices.IndexFunc(groups, access.IsPinGroup)
	if at < 0 {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrUsage, "--group %q is the group of a pin, which marks certificates and changes with the next new-user --pin", groups[at]),
		"name another group")
}
