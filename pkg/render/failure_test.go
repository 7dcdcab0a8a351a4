package render

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestFailure_AnErrorAndItsHintAreALineEach(t *testing.T) {
	for _, test := range []struct {
		about string
		err   error
		want  string
	}{
		{"one", errors.New("the request was denied"), "error: the request was denied\n"},
		{"with a hint", outcome.WithHint(errors.New("not written"), "run it again"), "error: not written\nhint: run it again\n"},
		{"several", errors.Join(errors.New("not logged in"), errors.New("not written")), "error: not logged in; not written\n"},
		{"several within others", outcome.WithHint(fmt.Errorf("it failed: %w", outcome.Errorf(outcome.ErrChanged, "twice: %w", errors.Join(errors.New("a"), errors.Join(errors.New("b"), errors.New("c"))))), "again"), "error: it failed: twice: a; b; c\nhint: again\n"},
		{"an end of line that is hostile", errors.Join(errors.New("a\nerror: b"), errors.New("c")), `error: a\nerror: b; c` + "\n"},
		{"hostile", outcome.WithHint(errors.New("a\x1b[2Jb"), "c\x1bd"), `error: a\x1b[2Jb` + "\n" + `hint: c\x1bd` + "\n"},
	} {
		var out strings.Builder
		Failure(&out, test.err)
		if out.String() != test.want {
			t.Errorf("%s: %q, want %q", test.about, out.String(), test.want)
		}
	}
}
