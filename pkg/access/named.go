package access

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// NamespaceRule is how a namespace can be named: an RFC 1123 label (apimachinery's
// validation.IsDNS1123Label, whose own sentence is a regular expression).
const NamespaceRule = "a namespace is named with lower case letters, digits and '-', at most 63 characters, starting and ending with a letter or digit"

// CheckNamespace reports whether a namespace can have a name; "" is everywhere.
func CheckNamespace(name string) error {
	if name != "" && len(validation.IsDNS1123Label(name)) > 0 {
		return fmt.Errorf("%s is not a valid namespace: %s", identity.Quote(name), NamespaceRule)
	}
	return nil
}

// GrantsOf is what ClusterRoles, or Roles, of these names give in a namespace, or
// everywhere where that is "". A Role without a namespace, and a name that no role can
// have, is an error.
func GrantsOf(isCluster bool, names []string, namespace string) ([]Grant, error) {
	grants := make([]Grant, 0, len(names))
	for _, name := range names {
		role := Role{IsCluster: isCluster, Name: name}
		if problems := content.IsPathSegmentName(name); name == "" || len(problems) > 0 || identity.Printable(name) != name {
			return nil, fmt.Errorf("%s is not a valid %s name", identity.Quote(name), role.Kind())
		}
		if !isCluster && namespace == "" {
			return nil, fmt.Errorf("the Role %s is in a namespace, and none is named", identity.Quote(name))
		}
		grants = append(grants, Grant{Role: role, Namespace: namespace})
	}
	return grants, nil
}
