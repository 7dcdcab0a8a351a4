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
	// errors.Join puts each error on a line of its own.
	sentence := strings.ReplaceAll(err.Error(), "\n", "; ")
	_, _ = fmt.Fprintf(out, "error: %s\n", identity.PrintableSentence(sentence))
	if hint := outcome.Hint(err); hint != "" {
		_, _ = fmt.Fprintf(out, "hint: %s\n", identity.PrintableSentence(hint))
	}
}
