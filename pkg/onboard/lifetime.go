package onboard

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// CheckLifetime refuses a request that was found on the cluster, is pending, and asks for
// another lifetime than the one that source names, such as "--expiration". Where nothing names
// one, source is "", and asked is the default: only a longer lifetime is refused then. A request
// cannot be changed, and approving it would give what nobody asked for in this run.
func CheckLifetime(found *request.Request, asked time.Duration, source, hint string) error {
	stored := request.LifetimeOf(found)
	isLonger := stored == 0 || stored > asked
	if request.StateOf(found) != request.Pending || stored == asked || source == "" && !isLonger {
		return nil
	}
	if source == "" {
		source = "the default"
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "certificate signing request %q already exists and asks for %s, not for the %s of %s",
			found.Name, LifetimeOrNone(stored), request.FormatLifetime(asked), source),
		"a request cannot be changed: %s", hint)
}

// LifetimeOrNone is a lifetime in words; 0 is none in particular.
func LifetimeOrNone(lifetime time.Duration) string {
	if lifetime == 0 {
		return "no particular lifetime"
	}
	return request.FormatLifetime(lifetime)
}
