package handoff_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
)

// TestOne_AFileOfAnotherKindIsNotWrittenOver also names the cluster as the administrator says.
func TestOne_AFileOfAnotherKindIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	w := onboardtest.New(t)
	object := w.Submit(t, onboardtest.Asked(t, "jane", "dev"))
	w.Server.Decide(object.Name, certificatesv1.CertificateApproved)
	path := filepath.Join(t.TempDir(), "jane.handoff")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for about, to := range map[string]string{"another file": path, "below a file": filepath.Join(path, "jane.handoff")} {
		if _, err := handoff.One(t.Context(), w.Program, w.Stored(t, object.Name), giving(to)); err == nil || !strings.Contains(err.Error(), "jane.handoff") {
			t.Errorf("%s: %v", about, err)
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	in := giving("-")
	in.ClusterName = "prod-eu"
	given, err := handoff.One(t.Context(), w.Program, w.Stored(t, object.Name), in)
	if err != nil {
		t.Fatal(err)
	}
	if config := string(given.Handoff); !strings.Contains(config, "current-context: jane@prod-eu") || !strings.Contains(config, "cluster: prod-eu") {
		t.Errorf("the cluster has another name:\n%s", config)
	}
}
