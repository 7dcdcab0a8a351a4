// Package outcometest checks errors in tests of what fails.
package outcometest

import (
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Says checks that there is an error which has each of some parts in its text or in its hint. about
// names the case.
func Says(t *testing.T, about string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %q", about, parts)
		return
	}
	for _, part := range parts {
		if text := err.Error() + "; " + outcome.Hint(err); !strings.Contains(text, part) {
			t.Errorf("%s: %q, want %q in it", about, text, part)
		}
	}
}
