package ledger

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// byLedger approves by what only the ledger knows: the request of the first certificate is gone.
const byLedger = `apiVersion: csr-onboard.github.io/v1alpha1
kind: ApprovalPolicy
metadata: {name: by-ledger}
spec:
  action: Approve
  maximumChainAge: 90d
  conditions:
  - {name: renewal, expression: "renewal.isRenewal && has(renewal.chainStart)", message: "only renewals"}
  - {name: one, expression: "size(certificates) == 1 && certificates[0].credentialID == renewal.credentialID && certificates[0].key != key.fingerprint", message: "one certificate"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: test-by-ledger}
rules:
- {apiGroups: [csr-onboard.github.io], resources: [approvalpolicies], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: test-by-ledger}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: test-by-ledger}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:authenticated"}
`

// applied applies something until the end of the test.
func (c *cluster) applied(t *testing.T, stdin string, what ...string) {
	t.Helper()
	if err := c.plane.Kubectl(t.Context(), stdin, append([]string{"apply"}, what...)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The context of a test ends before its cleanup.
		if err := c.plane.Kubectl(context.WithoutCancel(t.Context()), stdin, append([]string{"delete", "--ignore-not-found"}, what...)...); err != nil {
			t.Error(err)
		}
	})
}

// withApprover installs deploy/approver next to the ledger, and runs an approver until the end of
// the test.
func (c *cluster) withApprover(t *testing.T) {
	t.Helper()
	c.applied(t, "", "-k", filepath.Join("..", "..", "deploy", "approver"))
	if err := c.plane.Kubectl(t.Context(), "", "wait", "--for=condition=Established", "crd/approvalpolicies.csr-onboard.github.io"); err != nil {
		t.Fatal(err)
	}
	token, err := c.admin.CoreV1().ServiceAccounts("csr-onboard-system").CreateToken(t.Context(), "approver", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, log := filepath.Join(t.TempDir(), "approver.kubeconfig"), filepath.Join(t.TempDir(), "approver.log")
	if err := program.WriteWithToken(kubeconfig, c.plane.Kubeconfig, token.Status.Token); err != nil {
		t.Fatal(err)
	}
	command, err := program.StartLogged(log, controller, "run", "--controllers=approver", "--kubeconfig", kubeconfig, "--metrics-address", "0", "--debug")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		program.End(command, program.Patience)
		if text, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("approver:\n%s", text[max(0, len(text)-4000):])
		}
	})
}

// checkedForm is what policy check --from-ledger writes.
type checkedForm struct {
	Ledger struct {
		Unknown      []string
		NotEvaluated int
	}
	Items []struct{ Request, User, State, Outcome, Policy, Why string }
}

// checkLedger runs policy check on the ledger, and returns what it says of lisa's requests, by their
// names.
func (c *cluster) checkLedger(t *testing.T, arguments ...string) (outcomes map[string]string, stderr string) {
	t.Helper()
	result := c.run(t, append([]string{"policy", "check", "--from-ledger", "-o", "json"}, arguments...)...)
	var form checkedForm
	if err := json.Unmarshal([]byte(result.Stdout), &form); err != nil || result.Code != 0 || len(form.Ledger.Unknown) == 0 {
		t.Fatalf("%d, %v: %s%s", result.Code, err, result.Stdout, result.Stderr)
	}
	outcomes = map[string]string{}
	for _, item := range form.Items {
		if item.User == "lisa" {
			outcomes[item.Request] = strings.TrimSpace(item.Outcome + " " + item.Policy)
		}
	}
	return outcomes, result.Stderr
}

// renewedByPolicy has a user renew a certificate of which only the ledger knows, and returns the
// record of the certificate that a policy has approved.
func (c *cluster) renewedByPolicy(t *testing.T, user string) (first []byte, record *ledger.ClientCertificate) {
	t.Helper()
	asking := c.user(t, "asks-for-"+user, requester...)
	key := submitted(t, asking, user+"-first", user, "dev")
	decide(t, c.admin, user+"-first", certificatesv1.CertificateApproved)
	first = c.issued(t, user+"-first")
	c.recorded(t, first)
	if err := c.admin.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), user+"-first", metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	c.gone(t, user+"-first")
	c.withApprover(t)
	c.applied(t, byLedger, "-f", "-")
	if err := c.plane.AddUser(t.Context(), user, nil, requester...); err != nil {
		t.Fatal(err)
	}
	own := c.withCertificate(t, first, key)
	until(t, "the user is permitted", func() bool {
		_, err := own.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{Limit: 1})
		return err == nil
	})
	submit(t, own, user+"-second", user, "dev")
	return first, c.recorded(t, c.issued(t, user+"-second"))
}

func TestApprover_APolicySeesTheLedgerAndTheLedgerNamesThePolicy(t *testing.T) {
	c := shared
	first, record := c.renewedByPolicy(t, "lena")
	decision := record.Spec.Decision
	if decision == nil || decision.Reason != "CSROnboardApprovedByPolicy" || !strings.Contains(decision.Message, `approved by policy "by-ledger"`) {
		t.Fatalf("%+v", decision)
	}
	policy, by := "by-ledger", ledger.Approver
	if !c.stamps {
		// Nothing has observed it.
		policy, by = "", ""
	}
	if decision.Policy != policy || decision.By != by || record.Spec.Renews == nil || record.Spec.Renews.Certificate != ledger.NameOf(first) || record.Spec.Renews.Since == nil {
		t.Errorf("%+v, renews %+v", decision, record.Spec.Renews)
	}
	result := c.run(t, "ledger", "--for-user", "lena", "--approved-by", ledger.Approver, "-o", "json")
	if c.stamps && (result.Code != 0 || !strings.Contains(result.Stdout, record.Name)) {
		t.Errorf("%+v", result)
	}
}

func TestApprover_ACheckOfTheLedgerSaysWhatWasDecided(t *testing.T) {
	c := shared
	c.renewedByPolicy(t, "lisa")
	outcomes, stderr := c.checkLedger(t)
	if outcomes["lisa-first"] != "LeftToPeople" || outcomes["lisa-second"] != "Approved by-ledger" || len(outcomes) != 2 {
		t.Errorf("%v", outcomes)
	}
	if !strings.Contains(stderr, "A record does not hold:") {
		t.Error(stderr)
	}
	file := filepath.Join(t.TempDir(), "deny.yaml")
	deny := strings.NewReplacer("by-ledger", "deny-lisa", "  maximumChainAge: 90d\n", "", "Approve", "Deny").Replace(strings.Split(byLedger, "---")[0])
	if err := os.WriteFile(file, []byte(deny), 0o600); err != nil {
		t.Fatal(err)
	}
	if outcomes, _ := c.checkLedger(t, "-f", file); outcomes["lisa-second"] != "Denied deny-lisa" || outcomes["lisa-first"] != "LeftToPeople" {
		t.Errorf("of a file: %v", outcomes)
	}
	// Times of requests are in whole seconds.
	until(t, "the requests are older than a second", func() bool {
		outcomes, _ := c.checkLedger(t, "--since", "1s")
		return len(outcomes) == 0
	})
	if outcomes, _ := c.checkLedger(t, "--since", "1h"); len(outcomes) != 2 {
		t.Errorf("since an hour ago: %v", outcomes)
	}
	broken := strings.Replace(deny, "renewal.isRenewal &&", "1 / (size(findings) - size(findings)) == 1 &&", 1)
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	result := c.run(t, "policy", "check", "--from-ledger", "-f", file)
	if result.Code != 1 || !strings.Contains(result.Stderr, "division by zero") || !strings.Contains(result.Stdout, "lisa-second") {
		t.Errorf("%+v", result)
	}
	if result := c.run(t, "policy", "check", "--since", "1h"); result.Code != 2 || !strings.Contains(result.Stderr, "--from-ledger") {
		t.Errorf("%+v", result)
	}
}
