package screen

import (
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// None is how kubectl writes that a cell is empty. identity.Name quotes a name like it.
const None = "<none>"

// Names are names in one cell, separated by commas; None of none.
func Names(names []string) string {
	if len(names) == 0 {
		return None
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = identity.Name(name)
	}
	return strings.Join(quoted, ",")
}
