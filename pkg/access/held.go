package access

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Held is a binding that gives a user something by their name.
type Held struct {
	// Grant is what it gives.
	Grant Grant
	// Meta is the binding's own, with the UID and the resourceVersion of what
	// was seen.
	Meta metav1.ObjectMeta
	// Subjects are all that it gives it to.
	Subjects []rbacv1.Subject
}

// Of reports whether a binding names a user.
func (h Held) Of(user string) bool { return len(Without(h.Subjects, user)) < len(h.Subjects) }

// IsOwn reports whether a binding is one that csr-onboard made for the user and for
// nobody else, so that it may be deleted.
func (h Held) IsOwn(user string) bool {
	return h.Meta.Labels[ManagedByLabel] == ManagedByValue && h.Meta.Annotations[UserAnnotation] == user &&
		len(h.Subjects) > 0 && len(Without(h.Subjects, user)) == 0
}

// String names the binding as kubectl does, safe to print.
func (h Held) String() string {
	if h.Meta.Namespace == "" {
		return "clusterrolebinding." + rbacv1.GroupName + "/" + identity.Printable(h.Meta.Name)
	}
	return "rolebinding." + rbacv1.GroupName + "/" + identity.Printable(h.Meta.Name) + " in " + identity.Printable(h.Meta.Namespace)
}

// Without leaves a user out of a binding's subjects, and every other subject as it
// is, in its place.
func Without(subjects []rbacv1.Subject, user string) []rbacv1.Subject {
	var rest []rbacv1.Subject
	for _, subject := range subjects {
		if subject.Kind != rbacv1.UserKind || subject.Name != user {
			rest = append(rest, subject)
		}
	}
	return rest
}
