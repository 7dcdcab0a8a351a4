package screen

import (
	"fmt"
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Escaping makes a writer for a terminal, through which text of other printers goes
// with everything escaped that a terminal would obey. Each write has to be of whole
// characters.
func Escaping(out io.Writer) io.Writer { return escaping{out} }

type escaping struct{ out io.Writer }

func (e escaping) Write(text []byte) (int, error) {
	escaped := identity.EscapeHidden(string(text),
		func(r rune) bool { return r == '\n' || r == '\t' },
		func(r rune) string {
			if r > 0xffff {
				return fmt.Sprintf(`\U%08x`, r)
			}
			return fmt.Sprintf(`\u%04x`, r)
		})
	if _, err := io.WriteString(e.out, escaped); err != nil {
		return 0, err
	}
	return len(text), nil
}
