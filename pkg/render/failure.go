package render

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// Failure writes an error as one line, and its hint, if it has one, as another. It writes nothing of
// what another program has said.
func Failure(out io.Writer, err error) {
	if exited := (*outcome.ExitedError)(nil); errors.As(err, &exited) {
		return
	}
	_, _ = fmt.Fprintf(out, "error: %s\n", sentence(err))
	if hint := outcome.Hint(err); hint != "" {
		_, _ = fmt.Fprintf(out, "hint: %s\n", identity.PrintableSentence(hint))
	}
}

// sentence is an error in one line, safe to print.
func sentence(err error) string { return identity.PrintableSentence(inOneLine(err)) }

// inOneLine is an error's text, in which errors that were joined are parts of one sentence:
// errors.Join puts each on a line of its own. Other ends of lines stay, to be escaped.
func inOneLine(err error) string {
	text := err.Error()
	switch wrapping := err.(type) { //nolint:errorlint // Each error of the tree has its turn.
	case interface{ Unwrap() []error }:
		var texts, parts []string
		for _, joinedErr := range wrapping.Unwrap() {
			texts, parts = append(texts, joinedErr.Error()), append(parts, inOneLine(joinedErr))
		}
		if text == strings.Join(texts, "\n") {
			return strings.Join(parts, "; ")
		}
		for i := range texts {
			text = strings.Replace(text, texts[i], parts[i], 1)
		}
	case interface{ Unwrap() error }:
		if innerErr := wrapping.Unwrap(); innerErr != nil {
			text = strings.Replace(text, innerErr.Error(), inOneLine(innerErr), 1)
		}
	}
	return text
}
