package cmd

import (
	"errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// ExitCode is the one place where an outcome becomes an exit code.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	for _, known := range []struct {
		outcome error
		code    int
	}{
		{outcome.ErrUsage, 2},
		{outcome.ErrRejected, 3},
		{outcome.ErrNotFound, 4},
		{outcome.ErrChanged, 5},
		{outcome.ErrRefused, 6},
		{outcome.ErrTimedOut, 124},
		// 128 and SIGINT's number, as shells have it.
		{outcome.ErrInterrupted, 130},
	} {
		if errors.Is(err, known.outcome) {
			return known.code
		}
	}
	return 1
}
