// Package approve tests approval policies as their users run them: the plugin, and approvers with
// exactly the permissions of deploy/approver, on a real control plane.
//
// One control plane with one approver is shared. A test that stops the approver starts it again, and
// one that applies policies deletes them; tests do not run at the same time.
package approve

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

var (
	// directory has the programs under test, plugin and controller.
	directory, plugin, controller string
	// shared is the control plane.
	shared *cluster
)

func TestMain(m *testing.M) {
	os.Exit(program.RunTests(m, "approve", []string{program.Name, program.Controller}, func(ctx context.Context, built string) (end func(int), err error) {
		directory, plugin, controller = built, filepath.Join(built, program.Name), filepath.Join(built, program.Controller)
		if shared, err = launch(ctx); err != nil {
			return nil, err
		}
		return func(code int) {
			shared.stop()
			program.PrintEnd(code, "approver", shared.log)
		}, nil
	}))
}

// cluster is a control plane with what deploy/approver installs.
type cluster struct {
	plane *controlplane.Plane
	admin kubernetes.Interface
	any   dynamic.Interface
	// config is the administrator's.
	config *rest.Config
	// kubeconfig is that of the approver, and log where it writes.
	kubeconfig, log string

	approvers []*exec.Cmd
}

// launch starts a control plane, installs deploy/approver and starts an approver.
func launch(ctx context.Context) (_ *cluster, err error) {
	c := &cluster{log: filepath.Join(directory, "approver.log"), kubeconfig: filepath.Join(directory, "approver.kubeconfig")}
	if c.plane, err = controlplane.Launch(ctx, controlplane.WithProgress(os.Stderr), controlplane.WithControllerManagerRate(400, 600)); err != nil {
		return nil, err
	}
	if err := c.prepare(ctx); err != nil {
		_ = c.plane.Stop()
		return nil, err
	}
	return c, nil
}

func (c *cluster) prepare(ctx context.Context) (err error) {
	if c.config, err = c.plane.RESTConfig(); err != nil {
		return err
	}
	c.config.QPS = -1
	if c.admin, err = kubernetes.NewForConfig(c.config); err != nil {
		return err
	}
	if c.any, err = dynamic.NewForConfig(c.config); err != nil {
		return err
	}
	for _, what := range []string{"system", "approver"} {
		if err := c.plane.Kubectl(ctx, "", "apply", "-k", filepath.Join("..", "..", "deploy", what)); err != nil {
			return err
		}
	}
	if err := c.installLedger(ctx); err != nil {
		return err
	}
	if err := c.permitRequests(ctx); err != nil {
		return err
	}
	token, err := c.admin.CoreV1().ServiceAccounts("csr-onboard-system").CreateToken(ctx, "approver", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := program.WriteWithToken(c.kubeconfig, c.plane.Kubeconfig, token.Status.Token); err != nil {
		return err
	}
	return c.start()
}

// ledgerDefinition is the definition of the ledger's records.
var ledgerDefinition = filepath.Join("..", "..", "deploy", "ledger", "crd.yaml")

// installLedger has the cluster serve the ledger, which nobody writes.
func (c *cluster) installLedger(ctx context.Context) error {
	if err := c.plane.Kubectl(ctx, "", "apply", "-f", ledgerDefinition); err != nil {
		return err
	}
	return c.plane.Kubectl(ctx, "", "wait", "--for=condition=Established", "--timeout=60s", "-f", ledgerDefinition)
}

// permitRequests lets every user submit requests, as renewals require.
func (c *cluster) permitRequests(ctx context.Context) error {
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test-requesters"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests"}, Verbs: []string{"create", "get", "watch"},
	}}}
	if _, err := c.admin.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := c.admin.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test-requesters"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:authenticated"}},
	}, metav1.CreateOptions{})
	return err
}

// start starts one more approver.
func (c *cluster) start() error {
	command, err := program.StartLogged(c.log, controller, "run", "--controllers=approver", "--kubeconfig", c.kubeconfig, "--metrics-address", "0", "--debug")
	if err != nil {
		return err
	}
	c.approvers = append(c.approvers, command)
	return nil
}

// end ends every approver.
func (c *cluster) end() {
	for _, one := range c.approvers {
		program.End(one, program.Patience)
	}
	c.approvers = nil
	// The next one need not wait until the Lease of this one has expired.
	_ = c.admin.CoordinationV1().Leases("csr-onboard-system").Delete(context.Background(), "csr-onboard-approver", metav1.DeleteOptions{})
}

func (c *cluster) stop() {
	c.end()
	_ = c.plane.Stop()
}
