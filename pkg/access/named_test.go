package access

import (
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

func TestCheckNamespace_TheRuleIsSaidInWordsThatNeedNoEscapes(t *testing.T) {
	for name, isValid := range map[string]bool{"": true, "dev": true, "0-a": true, strings.Repeat("a", 63): true, strings.Repeat("a", 64): false, "Dev": false, "-a": false, "a-": false, "a.b": false} {
		err := CheckNamespace(name)
		if (err == nil) != isValid {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && (!strings.HasSuffix(err.Error(), NamespaceRule) || identity.PrintableSentence(err.Error()) != err.Error()) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
