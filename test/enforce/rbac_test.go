package enforce

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// deployed are the objects of a file of deploy/, read strictly.
func deployed(t *testing.T, name string) (objects []runtime.Object) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "enforcer", name))
	if err != nil {
		t.Fatal(err)
	}
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	for {
		document := make([]byte, 1<<20)
		n, err := documents.Read(document)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document[:n], nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}

// grant creates the service account and the roles of deploy/, changed, and returns a
// kubeconfig with a token of the service account and nothing else.
func (c *cluster) grant(t *testing.T, change func(name string, rules []rbacv1.PolicyRule) []rbacv1.PolicyRule) string {
	t.Helper()
	admin := c.admin(t)
	for _, object := range deployed(t, "rbac.yaml") {
		var err error
		switch o := object.(type) {
		case *corev1.ServiceAccount:
			_, err = admin.CoreV1().ServiceAccounts(o.Namespace).Create(t.Context(), o, metav1.CreateOptions{})
		case *rbacv1.ClusterRole:
			o.Rules = change("ClusterRole", o.Rules)
			_ = admin.RbacV1().ClusterRoles().Delete(t.Context(), o.Name, metav1.DeleteOptions{})
			_, err = admin.RbacV1().ClusterRoles().Create(t.Context(), o, metav1.CreateOptions{})
		case *rbacv1.Role:
			o.Rules = change("Role", o.Rules)
			_ = admin.RbacV1().Roles(o.Namespace).Delete(t.Context(), o.Name, metav1.DeleteOptions{})
			_, err = admin.RbacV1().Roles(o.Namespace).Create(t.Context(), o, metav1.CreateOptions{})
		case *rbacv1.ClusterRoleBinding:
			_, err = admin.RbacV1().ClusterRoleBindings().Create(t.Context(), o, metav1.CreateOptions{})
		case *rbacv1.RoleBinding:
			_, err = admin.RbacV1().RoleBindings(o.Namespace).Create(t.Context(), o, metav1.CreateOptions{})
		default:
			t.Fatalf("a %T is deployed, and not tested", object)
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	token, err := admin.CoreV1().ServiceAccounts("kube-system").CreateToken(t.Context(), "csr-onboard-enforcer", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := program.WriteWithToken(path, c.plane.Kubeconfig, token.Status.Token); err != nil {
		t.Fatal(err)
	}
	return path
}

// once runs an enforcer for one pass as somebody.
func (n *node) once(t *testing.T, kubeconfig string) program.Result {
	t.Helper()
	return program.Run(t, exec.CommandContext(t.Context(), controller, "enforce", "--once", "--directory", n.directory, "--kubeconfig", kubeconfig, "--node", n.name))
}

// permission is one verb of a rule.
type permission struct {
	role string
	rule int
	verb string
}

func TestRBAC_TheEnforcerNeedsExactlyWhatIsDeployed(t *testing.T) {
	c := on(t, 1)
	n, admin := c.nodes[0], c.admin(t)
	n.end()
	c.list(t, entryOf("kurt"))
	var all []permission
	kubeconfig := c.grant(t, func(role string, rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
		for i, rule := range rules {
			for _, verb := range rule.Verbs {
				all = append(all, permission{role, i, verb})
			}
		}
		return rules
	})
	// API servers learn of roles by a watch.
	until(t, "enforcing with what is deployed", func() bool { return n.once(t, kubeconfig).Code == 0 })
	if len(all) != 7 {
		t.Errorf("the roles have %v", all)
	}
	leases := admin.CoordinationV1().Leases(revocation.ReportNamespace)
	for _, removed := range all {
		t.Run(fmt.Sprintf("without %+v", removed), func(t *testing.T) {
			kubeconfig := c.grant(t, func(role string, rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
				if role == removed.role {
					rules[removed.rule].Verbs = slices.DeleteFunc(slices.Clone(rules[removed.rule].Verbs), func(verb string) bool { return verb == removed.verb })
				}
				return slices.DeleteFunc(rules, func(rule rbacv1.PolicyRule) bool { return len(rule.Verbs) == 0 })
			})
			switch removed.verb {
			case "create":
				// It is created where it does not exist.
				if err := leases.Delete(t.Context(), revocation.LeaseName(n.name), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
					t.Fatal(err)
				}
			case "watch":
				before := n.kubeconfig
				n.kubeconfig = kubeconfig
				if err := n.start(); err != nil {
					t.Fatal(err)
				}
				until(t, "a report that the list cannot be watched", func() bool {
					reports := c.reports(t)
					return len(reports) == 1 && len(reports[0].Problems) > 0 && strings.Contains(reports[0].Problems[0], "cannot watch the list")
				})
				n.end()
				n.kubeconfig = before
				return
			}
			until(t, "a failure", func() bool { return n.once(t, kubeconfig).Code == 1 })
		})
	}
}

func TestRBAC_TheDaemonSetRunsTheEnforcerAsDocumented(t *testing.T) {
	names := map[string]bool{}
	for _, object := range deployed(t, "daemonset.yaml") {
		names[object.GetObjectKind().GroupVersionKind().Kind] = true
		if config, isConfig := object.(*corev1.ConfigMap); isConfig {
			parsed, err := clientcmd.Load([]byte(config.Data["kubeconfig"]))
			if err != nil || parsed.Contexts[parsed.CurrentContext] == nil {
				t.Errorf("%v, %+v", err, parsed)
			}
		}
	}
	if !names["DaemonSet"] || !names["ConfigMap"] {
		t.Errorf("%v", names)
	}
}
