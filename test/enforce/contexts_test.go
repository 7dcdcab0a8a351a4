package enforce

import (
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// joined is a kubeconfig of the administrator of several clusters, with a context for each.
func joined(t *testing.T, clusters map[string]*cluster) string {
	t.Helper()
	all := clientcmdapi.NewConfig()
	for name, c := range clusters {
		if err := controlplane.AddContext(all, name, c.plane.Kubeconfig, ""); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*all, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContexts_AUserIsRevokedOnTwoClustersByOneCommand(t *testing.T) {
	other := on(t, 1)
	kubeconfig := joined(t, map[string]*cluster{"dev": shared, "prod": other})
	onDev, onProd := shared.user(t, "kai"), other.user(t, "kai")
	expect(t, shared.run(t, kubeconfig, "revoke", "kai", "--contexts", "dev,prod"), 0,
		`[dev] revoked the user "kai": refused by 3 of 3 API servers in `, `[prod] revoked the user "kai": refused by 1 of 1 API server in `)
	for _, n := range shared.nodes {
		if !isRefusedAt(t, onDev, n.server) {
			t.Errorf("%s was said to refuse, and does not", n.name)
		}
	}
	if !isRefusedAt(t, onProd, other.nodes[0].server) {
		t.Error("prod was said to refuse, and does not")
	}
	for _, name := range []string{"dev", "prod"} {
		expect(t, shared.run(t, kubeconfig, "unrevoke", "kai", "--context", name), 0, "no longer refused by ")
	}
	shared.untilRefused(t, onDev, false)
	other.untilRefused(t, onProd, false)

	// One of them is down: the other refuses, and the same command completes it.
	if err := other.plane.StopComponent(controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	result := shared.run(t, kubeconfig, "revoke", "kai", "--contexts", "dev,prod")
	startErr := other.plane.StartComponent(t.Context(), controlplane.APIServer)
	if startErr != nil {
		t.Fatal(startErr)
	}
	expect(t, result, 1, `[dev] revoked the user "kai": refused by 3 of 3`, `error: 1 of 2 clusters is not done: "prod": `)
	shared.untilRefused(t, onDev, true)
	expect(t, shared.run(t, kubeconfig, "revoke", "kai", "--contexts", "dev,prod"), 0, "[dev] ", `[prod] revoked the user "kai": refused by 1 of 1`)
	other.untilRefused(t, onProd, true)
	expect(t, shared.run(t, kubeconfig, "revocations", "--context", "prod"), 0, `the user "kai"`, "in force at 1 of 1 API server")
}

func TestContexts_OffboardRevokesOnTwoClusters(t *testing.T) {
	other := on(t, 1)
	kubeconfig := joined(t, map[string]*cluster{"dev": shared, "prod": other})
	onDev, onProd := shared.user(t, "lou"), other.user(t, "lou")
	expect(t, shared.run(t, kubeconfig, "offboard", "lou", "--revoke", "--yes", "--contexts", "dev,prod"), 0,
		"[dev] ", "refused by 3 of 3 API servers", "[prod] ", "refused by 1 of 1 API server ")
	shared.untilRefused(t, onDev, true)
	other.untilRefused(t, onProd, true)
}
