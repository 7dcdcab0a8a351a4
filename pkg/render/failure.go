package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Failure writes an error as one line, and its hint, if it has one, as another.
func Failure(out io.Writer, err error) {
	_, _ = fmt.Fprintf(out, "error: %s\n", sentence(err))
	if hint := outcome.Hint(err); hint != "" {
		_, _ = fmt.Fprintf(out, "hint: %s\n", identity.PrintableSentence(hint))
	}
}

// sentence is an error in one line, safe to print. errors.Join puts each error on a line of
// its own.
func sentence(err error) string {
	return identity.PrintableSentence(strings.ReplaceAll(err.Error(), "\n", "; "))
}
