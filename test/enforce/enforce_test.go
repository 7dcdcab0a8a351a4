package enforce

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

func sum(data []byte) []byte {
	digest := sha256.Sum256(data)
	return digest[:]
}

func copyText(to io.Writer, from io.Reader) (int64, error) {
	return io.Copy(to, io.LimitReader(from, 1<<20))
}

func entryOf(user string) access.Entry {
	return access.Entry{Blocked: access.Blocked{User: user}, Details: access.Details{User: user, By: "test", At: time.Now()}}
}

func certificateEntry(user, id string) access.Entry {
	return access.Entry{Blocked: access.Blocked{CredentialID: id}, Details: access.Details{User: user, At: time.Now()}}
}

const whoAmI = `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`

func TestEnforce_ARevokedCertificateIsRefusedEverythingByEveryAPIServer(t *testing.T) {
	stolen := shared.user(t, "carla")
	other := shared.user(t, "carla")
	shared.untilRefused(t, stolen, false)
	shared.list(t, certificateEntry("carla", credentialID(t, stolen)))
	shared.untilRefused(t, stolen, true)
	for _, n := range shared.nodes {
		for about, request := range map[string][3]string{
			"get":       {http.MethodGet, configMaps + "/x", ""},
			"list":      {http.MethodGet, configMaps, ""},
			"watch":     {http.MethodGet, configMaps + "?watch=1", ""},
			"create":    {http.MethodPost, configMaps, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"x-"}}`},
			"discovery": {http.MethodGet, "/apis", ""},
			"version":   {http.MethodGet, "/version", ""},
			"health":    {http.MethodGet, "/readyz", ""},
			"openapi":   {http.MethodGet, "/openapi/v3", ""},
			"whoami":    {http.MethodPost, "/apis/authentication.k8s.io/v1/selfsubjectreviews", whoAmI},
			"a request": {http.MethodPost, "/apis/certificates.k8s.io/v1/certificatesigningrequests", "{}"},
		} {
			status, text := call(t, stolen, n.server, request[0], request[1], request[2])
			if status != http.StatusInternalServerError || !strings.Contains(text, "revoked by an administrator") {
				t.Errorf("%s at %s: status %d: %s", about, n.name, status, text)
			}
		}
	}
	shared.untilRefused(t, other, false)
}

func TestEnforce_EveryEnforcerReportsWhatItHasSeenRefused(t *testing.T) {
	kubeconfig := shared.user(t, "dora")
	shared.list(t, entryOf("dora"))
	shared.untilRefused(t, kubeconfig, true)
	stored, err := shared.admin(t).CoreV1().ConfigMaps(access.BlockNamespace).Get(t.Context(), access.BlockName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list := access.ListOf(stored.Data)
	// Metrics name the API server since Kubernetes 1.34.
	isNamed := os.Getenv(controlplane.ReleaseVariable) == ""
	until(t, "three proofs", func() bool {
		proven := 0
		for _, report := range shared.reports(t) {
			if revocation.InForce(revocation.Coverage(list, []revocation.Report{report}, nil, time.Now())) == 1 && (report.APIServer != "") == isNamed && len(report.Problems) == 0 {
				proven++
			}
		}
		return proven == 3
	})
	for _, n := range shared.nodes {
		text, err := os.ReadFile(filepath.Join(n.directory, "authorization.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, report := range shared.reports(t) {
			if report.Node == n.name && (report.File != fmt.Sprintf("%x", sha256.Sum256(text)) || report.Entries == 0 || report.Version != "v0.0.0-test") {
				t.Errorf("%s: %+v", n.name, report)
			}
		}
	}
}

func TestEnforce_ASecondEnforcerOnTheNodeIsRefused(t *testing.T) {
	n := shared.nodes[0]
	result := program.Run(t, exec.CommandContext(t.Context(), controller, "enforce", "--directory", n.directory, "--kubeconfig", n.kubeconfig, "--node", n.name))
	if result.Code != 6 || !strings.Contains(result.Stderr, "another enforcer works in") {
		t.Errorf("exit code %d: %s", result.Code, result.Stderr)
	}
}
