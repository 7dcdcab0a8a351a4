package outcome

import (
	"errors"
	"fmt"
)

// ExitedError is the end of another program that did the work, and has said itself what went wrong.
type ExitedError struct {
	// Code is its exit code, which is not 0.
	Code int
}

func (e *ExitedError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// ExitCode is the one place where an outcome becomes an exit code.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	var exited *ExitedError
	if errors.As(err, &exited) {
		return exited.Code
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
