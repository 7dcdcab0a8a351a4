package access

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestBinding_EachGrantHasABindingOfItsOwn(t *testing.T) {
	view, edit := Role{IsCluster: true, Name: "view"}, Role{IsCluster: true, Name: "edit"}
	seen := map[string]Wanted{}
	for _, wanted := range []Wanted{
		{Holder{Name: "jane"}, Grant{Role: view}},
		{Holder{Name: "Jane"}, Grant{Role: view}},
		{Holder{Name: "jane", IsGroup: true}, Grant{Role: view}},
		{Holder{Name: "jane"}, Grant{Role: edit}},
		{Holder{Name: "jane"}, Grant{Role: view, Namespace: "dev"}},
		{Holder{Name: "jane"}, Grant{Role: Role{Name: "view"}, Namespace: "dev"}},
		{Holder{Name: "\x00/../佐藤\n"}, Grant{Role: view, Namespace: "dev"}},
	} {
		name := wanted.Name()
		if other, taken := seen[name]; taken {
			t.Errorf("%v and %v share the name %q", wanted, other, name)
		}
		seen[name] = wanted
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			t.Errorf("%v has the name %q: %v", wanted, name, problems)
		}
		if again := wanted.Name(); again != name {
			t.Errorf("%v is called %q and %q", wanted, name, again)
		}
	}
}

func TestBinding_ABindingGivesWhatIsWanted(t *testing.T) {
	binding, isBinding := Wanted{Holder{Name: "jane@example.com"}, Grant{Role: Role{Name: "deployer"}, Namespace: "dev"}}.Binding().(*rbacv1.RoleBinding)
	if !isBinding {
		t.Fatal("a grant in a namespace is no RoleBinding")
	}
	if binding.Namespace != "dev" || binding.RoleRef != (rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "deployer"}) ||
		len(binding.Subjects) != 1 || binding.Subjects[0] != (rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "jane@example.com"}) ||
		binding.Annotations[UserAnnotation] != "jane@example.com" || binding.Labels[ManagedByLabel] != ManagedByValue {
		t.Errorf("the binding is %+v", binding)
	}
	if _, isCluster := (Wanted{Holder{Name: "dev", IsGroup: true}, Grant{Role: ClusterAdmin}}).Binding().(*rbacv1.ClusterRoleBinding); !isCluster {
		t.Error("a grant everywhere is no ClusterRoleBinding")
	}
}
