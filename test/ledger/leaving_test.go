package ledger

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestLeaving_EveryCertificateOfTheUserStops has a control plane of its own, with an enforcer.
func TestLeaving_EveryCertificateOfTheUserStops(t *testing.T) {
	directory := t.TempDir()
	enforced := filepath.Join(directory, "node")
	if output, err := exec.CommandContext(t.Context(), controller, "enforce", "init", "--directory", enforced, "--authorization-mode", "Node,RBAC").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	c, err := launch(t.Context(), directory, controlplane.WithAuthorizationConfigs(filepath.Join(enforced, "authorization.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	enforcer, err := program.StartLogged(filepath.Join(directory, "enforcer.log"), controller, "enforce", "--directory", enforced, "--kubeconfig", c.plane.Kubeconfig, "--node", "node")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.End(enforcer, program.Patience) })
	var clients []kubernetes.Interface
	for _, name := range []string{"leaving-1", "leaving-2", "leaving-3"} {
		key := submitted(t, c.admin, name, "lara", "dev")
		decide(t, c.admin, name, certificatesv1.CertificateApproved)
		clients = append(clients, c.withCertificate(t, c.issued(t, name), key))
	}
	key := submitted(t, c.admin, "leaving-kubectl", "lara")
	if err := c.plane.Kubectl(t.Context(), "", "certificate", "approve", "leaving-kubectl"); err != nil {
		t.Fatal(err)
	}
	clients = append(clients, c.withCertificate(t, c.issued(t, "leaving-kubectl"), key))
	// Signed with the CA's key, and imported.
	elsewhere := newKey(t)
	der := c.clientAuthority(t).sign(t, "lara", elsewhere.Public())
	clients = append(clients, c.withCertificate(t, der, elsewhere))
	file := filepath.Join(directory, "lara.crt")
	if err := os.WriteFile(file, encode(der), 0o600); err != nil {
		t.Fatal(err)
	}
	c.done(t, "ledger", "import", "--certificate", file)
	until(t, "five certificates on the ledger", func() bool { return len(c.records(t, "lara")["lara"]) == 5 })
	for i, client := range clients {
		if _, err := client.Discovery().ServerVersion(); err != nil {
			t.Errorf("certificate %d does not log in: %v", i, err)
		}
	}
	result := c.run(t, "offboard", "lara", "--revoke", "--yes")
	if result.Code != 0 || !strings.Contains(result.Stderr, `certificates of "lara" that log in, and that will be refused: 5`) || strings.Count(result.Stderr, "will be refused") != 1 {
		t.Errorf("%d: %s%s", result.Code, result.Stdout, result.Stderr)
	}
	for i, client := range clients {
		_, err := client.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{Limit: 1})
		if !apierrors.IsInternalError(err) && !apierrors.IsForbidden(err) {
			t.Errorf("certificate %d: %v", i, err)
		}
		if _, err := client.Discovery().ServerVersion(); err == nil {
			t.Errorf("certificate %d still reads the version", i)
		}
	}
	if text := c.done(t, "ledger", "--revoked", "-o", "csv"); len(usersIn(t, text, "lara")) != 5 {
		t.Errorf("%s", text)
	}
}
