package approve

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestPerson_OnboardedOnceAUserRenewsByPolicyAlone has a user whom an administrator has onboarded renew
// ten times. Nobody approves anything, and kubectl works after each.
func TestPerson_OnboardedOnceAUserRenewsByPolicyAlone(t *testing.T) {
	c := shared
	c.apply(t, policyOf("person", "Approve", "renewal.isRenewal")+useAny)
	work := t.TempDir()
	environment := program.Environment{Path: []string{directory, filepath.Dir(c.plane.Binary(controlplane.Kubectl))}, Home: work, Directory: work, Kubeconfig: c.plane.Kubeconfig}
	run := func(arguments ...string) {
		t.Helper()
		if result := program.Run(t, environment.Command(t.Context(), arguments[0], arguments[1:]...)); result.Code != 0 {
			t.Fatalf("%q: %+v", arguments, result)
		}
	}
	run(program.Name, "new-user", "person-jane", "--group", "dev", "--approve", "--expiration", "10m", "--out", "jane.kubeconfig")
	environment.Kubeconfig = filepath.Join(work, "jane.kubeconfig")
	for range 10 {
		run(program.Name, "renew", "--expiration", "10m", "--timeout", "60s")
		run(filepath.Base(c.plane.Binary(controlplane.Kubectl)), "auth", "whoami")
	}
	administrator := program.Environment{Path: environment.Path, Home: work, Kubeconfig: c.plane.Kubeconfig}
	result := program.Run(t, administrator.Command(t.Context(), program.Name, "list"))
	if approved := strings.Count(result.Stdout, "Issued, approved by policy"); approved < 10 {
		t.Errorf("%d were approved by policy: %s", approved, result.Stdout)
	}
}
