package access

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// What marks the bindings of csr-onboard.
const (
	// ManagedByLabel says which program made a binding.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedByValue is csr-onboard, in ManagedByLabel.
	ManagedByValue = "kubectl-csr-onboard"
	// UserAnnotation holds the exact name of the user that a binding is for.
	UserAnnotation = "csr-onboard.github.io/user"
	// GroupAnnotation holds the exact name of the group that a binding is for.
	GroupAnnotation = "csr-onboard.github.io/group"
)

// Wanted is a grant that somebody is to have, by a binding of csr-onboard's.
type Wanted struct {
	Holder Holder
	Grant  Grant
}

// Name is the binding's name: a slug of the holder's name and ten characters of a
// hash over holder and grant, so that each grant has one binding and each binding
// one grant.
func (w Wanted) Name() string {
	kind := rbacv1.UserKind
	if w.Holder.IsGroup {
		kind = rbacv1.GroupKind
	}
	digest := identity.Digest(10, []byte(kind), []byte(w.Holder.Name), []byte(w.Grant.Role.Kind()), []byte(w.Grant.Role.Name), []byte(w.Grant.Namespace))
	return "csr-onboard-" + identity.Slug(w.Holder.Name) + "-" + digest
}

// Binding is the object that gives it: a RoleBinding in the grant's namespace, or
// a ClusterRoleBinding.
func (w Wanted) Binding() runtime.Object {
	annotation, kind := UserAnnotation, rbacv1.UserKind
	if w.Holder.IsGroup {
		annotation, kind = GroupAnnotation, rbacv1.GroupKind
	}
	meta := metav1.ObjectMeta{
		Name:        w.Name(),
		Namespace:   w.Grant.Namespace,
		Labels:      map[string]string{ManagedByLabel: ManagedByValue},
		Annotations: map[string]string{annotation: w.Holder.Name},
	}
	subjects := []rbacv1.Subject{{Kind: kind, APIGroup: rbacv1.GroupName, Name: w.Holder.Name}}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: w.Grant.Role.Kind(), Name: w.Grant.Role.Name}
	if w.Grant.Namespace == "" {
		return &rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: meta, Subjects: subjects, RoleRef: role,
		}
	}
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: meta, Subjects: subjects, RoleRef: role,
	}
}

// Objects are the objects that give what is wanted, with the role that is csr-onboard's own.
func Objects(wanted []Wanted) []runtime.Object {
	var objects []runtime.Object
	hasRole := false
	for _, one := range wanted {
		if one.Grant.Role == Renewable && !hasRole {
			hasRole = true
			objects = append(objects, RenewableRole())
		}
		objects = append(objects, one.Binding())
	}
	return objects
}

// Resource is how kubectl writes the binding's kind before its name.
func (w Wanted) Resource() string {
	if w.Grant.Namespace == "" {
		return "clusterrolebinding." + rbacv1.GroupName
	}
	return "rolebinding." + rbacv1.GroupName
}
