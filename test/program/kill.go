package program

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"
)

// KillAfter runs the program, kills it after a while, and reports whether it was still running then.
// A run that fails by itself ends the test.
func (e Environment) KillAfter(t testing.TB, after time.Duration, arguments ...string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	err := e.Command(ctx, Name, arguments...).Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if exit != nil && exit.Exited() {
		t.Fatalf("%q failed by itself: %v", arguments, err)
	}
	return err != nil
}
