package doctor

import (
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
)

// TestAddress_AnAddressThatOthersDoNotReachIsWarnedOf sends nothing to any of them.
func TestAddress_AnAddressThatOthersDoNotReachIsWarnedOf(t *testing.T) {
	for address, want := range map[string]Verdict{
		"https://localhost:6443":         Warn,
		"https://127.0.0.2":              Warn,
		"https://[::1]:6443":             Warn,
		"https://kubernetes":             Warn,
		"https://kubernetes.default.svc": Warn,
		"https://api.cluster.local:6443": Warn,
		"https://10.0.0.1:6443":          Pass,
		"https://k8s.example.com":        Pass,
	} {
		client, err := cluster.New(cluster.Target{Endpoint: kubeconfig.Endpoint{Server: address}, Now: time.Now}, cluster.Credentials{})
		if err != nil {
			t.Fatal(err)
		}
		d := &examination{program: &onboard.Program{Cluster: client}}
		d.checkServer()
		if got := d.checks[0]; got.Verdict != want {
			t.Errorf("%s: %+v, want %s", address, got, want)
		}
	}
}
