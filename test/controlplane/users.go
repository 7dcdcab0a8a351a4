package controlplane

import (
	"context"
	"net/url"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	rbacclient "k8s.io/client-go/kubernetes/typed/rbac/v1"
)

// AddUser makes a user with a client certificate, signed by the run's authority
// without a request, who can do exactly what the rules say in the whole cluster;
// without rules they can only log in. Their kubeconfig is at KubeconfigOf(name).
func (p *Plane) AddUser(ctx context.Context, name string, groups []string, rules ...rbacv1.PolicyRule) error {
	if err := p.writeKubeconfig(fileOf(name), name, groups); err != nil {
		return err
	}
	if len(rules) == 0 {
		return nil
	}
	config, err := p.RESTConfig()
	if err != nil {
		return err
	}
	rbac, err := rbacclient.NewForConfig(config)
	if err != nil {
		return err
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test:" + name}, Rules: rules}
	if _, err := rbac.ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test:" + name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}
	_, err = rbac.ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	return err
}

// KubeconfigOf is the path of the kubeconfig of a user made by WithUser or
// AddUser.
func (p *Plane) KubeconfigOf(user string) string { return p.kubeconfig(fileOf(user)) }

func fileOf(user string) string { return "user-" + url.PathEscape(user) }
