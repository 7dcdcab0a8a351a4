package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// shortens is a policy that gives every request for a user's certificate an hour.
const shortens = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: shortens}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules:
    - {apiGroups: [certificates.k8s.io], apiVersions: [v1], operations: [CREATE], resources: [certificatesigningrequests]}
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: 'Object{metadata: Object.metadata{labels: {"team": "unknown"}}, spec: Object.spec{expirationSeconds: 3600}}'
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: shortens}
spec: {policyName: shortens}
`

func TestShortenedLifetime_ALifetimeThatAPolicyShortensIsSaid(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	if served := s.kubectl("api-resources", "--api-group=admissionregistration.k8s.io", "-o", "name").Stdout; !strings.Contains(served, "mutatingadmissionpolicies.") {
		t.Skip("this Kubernetes has no mutating admission policies")
	}
	s.must("new-user", "renews", "--approve", "--dir", "D", "--renewable", "--expiration", "5h")
	s.must("new-user", "filed", "--offline", "--dir", "D", "--expiration", "7d")
	s.write("policy.yaml", shortens)
	if applied := s.kubectl("apply", "-f", "policy.yaml"); applied.Code != 0 {
		t.Fatal(applied.Stderr)
	}
	// The API server reads policies a moment after they are made.
	s.write("probe.yaml", s.must("new-user", "probe", "--dir", "probe", "--dry-run=client", "-o", "yaml").Stdout)
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		return s.kubectl("create", "-f", "probe.yaml", "--dry-run=server", "-o", "jsonpath={.spec.expirationSeconds}").Stdout == "3600", nil
	})
	if err != nil {
		t.Fatal(err)
	}

	const warning = "warning: 7d was asked for, and an admission policy of the cluster changed that to 60m"
	for _, arguments := range [][]string{
		{"new-user", "tried", "--dir", "D", "--expiration", "7d", "--dry-run=server"},
		{"new-user", "asks", "--dir", "D", "--expiration", "7d"},
		{"new-user", "approved", "--dir", "D", "--expiration", "7d", "--approve"},
	} {
		if said := s.must(arguments...).Stderr; strings.Count(said, warning) != 1 {
			t.Errorf("%q says\n%s", arguments, said)
		}
	}
	s.write("team.csv", "name\nteam-one\nteam-two\n")
	if said := s.must("new-user", "-f", "team.csv", "--dir", "team", "--expiration", "7d", "--approve").Stderr; strings.Count(said, warning) != 1 {
		t.Errorf("a team is told\n%s", said)
	}
	own := *s
	own.env.Kubeconfig = s.path("D", "renews.kubeconfig")
	if said := own.must("renew", "--wait=false").Stderr; !strings.Contains(said, "warning: 5h was asked for, and an admission policy of the cluster changed that to 60m") {
		t.Errorf("renew says\n%s", said)
	}

	s.check(s.run("approve", "-f", "D/filed.csr", "--yes", "--dry-run=server", "--expiration", "7d"), expect{5, []string{"it asks for 1h, not for the 7d that was shown", "hint: ask for what the policy accepts, for example: --expiration 1h"}})
	refused := s.run("approve", "-f", "D/filed.csr", "--yes", "--out", "filed.yaml", "--expiration", "7d")
	s.check(refused, expect{5, []string{"an admission policy of the cluster changed certificate signing request", "it asks for 1h, not for the 7d that was shown", "hint: it is submitted and not approved", "kubectl csr-onboard approve filed-"}})
	name := requestNamesOf(t, s, "filed")[0]
	if state := request.StateOf(s.object("x/" + name)); state != request.Pending {
		t.Fatalf("the request is %s", state)
	}
	s.must("approve", "-f", "D/filed.csr", "--yes", "--out", "filed.yaml")
	s.must("fetch", "filed", "--from", "filed.yaml", "--dir", "D", confirmed(t, s.plane)[0], confirmed(t, s.plane)[1])
}
