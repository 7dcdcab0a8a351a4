package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Escaping makes a writer for a terminal, through which text of other printers goes
// with everything escaped that a terminal would obey. Each write has to be of whole
// characters.
func Escaping(out io.Writer) io.Writer { return escaping{out} }

type escaping struct{ out io.Writer }

func (e escaping) Write(text []byte) (int, error) {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r == '\n', r == '\t', identity.IsPrintable(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	if _, err := io.WriteString(e.out, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}
