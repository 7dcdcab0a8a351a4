package render

import (
	"fmt"
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Failure writes an error as one line, and its hint, if it has one, as another.
func Failure(out io.Writer, err error) {
	_, _ = fmt.Fprintf(out, "error: %s\n", identity.PrintableSentence(err.Error()))
	if hint := outcome.Hint(err); hint != "" {
		_, _ = fmt.Fprintf(out, "hint: %s\n", identity.PrintableSentence(hint))
	}
}
