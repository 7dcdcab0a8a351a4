package outcome

import (
	"errors"
)

// ExitCode is the one place where an outcome becomes an exit code.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	for _, known := range []struct {
		outcomeErr error
		code       int
	}{
		{ErrUsage, 2},
		{ErrRejected, 3},
		{ErrNotFound, 4},
		{ErrChanged, 5},
		{ErrRefused, 6},
		{ErrTimedOut, 124},
		// 128 and SIGINT's number, as shells have it.
		{ErrInterrupted, 130},
	} {
		if errors.Is(err, known.outcomeErr) {
			return known.code
		}
	}
	return 1
}
