package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
)

// desk is a machine on which command lines are run against a cluster in memory.
type desk struct {
	server *clustertest.Server
	// home is the home directory, and the current directory.
	home string
}

// newDesk is a machine with the kubeconfig of an administrator.
func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{server: clustertest.New(t), home: t.TempDir()}
	t.Chdir(d.home)
	t.Setenv("HOME", d.home)
	d.writeKubeconfig(t, "admin.kubeconfig", d.server.Credentials(t, "admin", clustertest.Masters))
	t.Setenv("KUBECONFIG", filepath.Join(d.home, "admin.kubeconfig"))
	return d
}

func (d *desk) writeKubeconfig(t *testing.T, name string, credentials kubeconfig.Credentials) {
	t.Helper()
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(d.server.Endpoint, credentials, kubeconfig.Names{Cluster: "test", Context: "test"}, ""))
	if err == nil {
		err = os.WriteFile(filepath.Join(d.home, name), encoded, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// runs runs a command line, which has to end with a code, without a terminal.
func (d *desk) runs(t *testing.T, code int, line string) (out, errOut string) {
	t.Helper()
	var stdout bytes.Buffer
	got, errOut := d.ends(t, &stdout, line)
	if got != code {
		t.Errorf("%s: exit code %d, want %d\n%s%s", line, got, code, stdout.String(), errOut)
	}
	return stdout.String(), errOut
}

// ends runs a command line, without a terminal, and returns its exit code.
func (d *desk) ends(t *testing.T, out io.Writer, line string) (code int, errOut string) {
	t.Helper()
	var stderr bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: &stderr}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code = Execute(ctx, strings.Fields(line), streams, buildinfo.Build{Version: "v0.1.0"}, time.Now)
	return code, stderr.String()
}

// says runs a command line as runs, and compares parts of what it writes.
func (d *desk) says(t *testing.T, code int, line string, parts ...string) {
	t.Helper()
	out, errOut := d.runs(t, code, line)
	for _, part := range parts {
		if !strings.Contains(out+errOut, part) {
			t.Errorf("%s: %q is missing in\n%s%s", line, part, out, errOut)
		}
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func TestCommandLine_ThreeCommandsMakeAKubeconfig(t *testing.T) {
	d := newDesk(t)
	d.says(t, 0, "new-user jane --group dev --dir jane", "created a private key", "submitted")
	d.says(t, 0, "list", "jane", "dev", "Pending")
	d.says(t, 0, "list -o json", `"kind": "RequestReviewList"`)
	d.says(t, 0, "list -o name", "certificatesigningrequest.certificates.k8s.io/jane-")
	d.says(t, 2, "approve jane", "--yes")
	d.says(t, 0, "approve jane --dry-run=client", "fingerprint", "nothing was approved")
	d.says(t, 0, "approve jane --dry-run=client -o yaml", "kind: RequestReview")
	d.says(t, 0, "approve jane --dry-run=server", "server dry run")
	d.says(t, 0, "approve jane --yes", "approved")
	d.says(t, 0, "approve jane --yes", "already")
	d.says(t, 5, "deny jane --yes", "decided already")
	d.says(t, 0, "fetch jane --dir jane", "logged in", "wrote the kubeconfig")
	if !exists(filepath.Join("jane", "jane.kubeconfig")) {
		t.Error("the kubeconfig is missing")
	}
	d.says(t, 0, "list -o wide", "Issued", "kubernetes.io/kube-apiserver-client")
	d.says(t, 0, "fetch jane --dir jane --certificate-only -o json", `"certificateFile"`)
	d.says(t, 0, "fetch jane --dir jane --out -", "client-key-data")
}

func TestCommandLine_OneCommandMakesAKubeconfig(t *testing.T) {
	d := newDesk(t)
	d.server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
	out, _ := d.runs(t, 0, "new-user jane -g dev --approve --clusterrole view --renewable --dir jane -o json")
	var report struct{ Kubeconfig, Kind string }
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Kind != "FetchedCertificate" || !exists(report.Kubeconfig) {
		t.Errorf("%s, %v", out, err)
	}
	if names := d.server.Names("clusterrolebindings"); len(names) != 2 {
		t.Errorf("bindings: %q", names)
	}
	d.says(t, 0, "status --kubeconfig jane/jane.kubeconfig", "jane", "yes")
	d.says(t, 0, "status --kubeconfig jane/jane.kubeconfig -o yaml", "kind: ContextStatusList")
	d.says(t, 0, "renew --kubeconfig jane/jane.kubeconfig --within 1h", "is valid until")
}

func TestCommandLine_ARequestOfAnotherIsDenied(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --dir jane")
	d.says(t, 0, "deny jane --yes --message no", "denied")
	d.says(t, 3, "fetch jane --dir jane", "denied")
	d.says(t, 3, "new-user jane --dir jane", "denied")
	d.says(t, 4, "approve sam --yes", "not found")
	d.says(t, 6, "new-user joe -g system:masters --dir joe --approve", "system-group")
	d.says(t, 2, "new-user", "NAME is missing")
	d.says(t, 124, "new-user kim --dir kim --wait --timeout 100ms", "timed out", "hint:")
	d.says(t, 2, "aprove jane", "")
}

func TestCommandLine_AHandoffIsMadeOfFiles(t *testing.T) {
	d := newDesk(t)
	d.says(t, 0, "new-user jane --offline --dir jane", "nothing was sent anywhere")
	d.says(t, 0, "approve -f jane/jane.csr --dry-run=client", "jane")
	d.says(t, 0, "approve -f jane/jane.csr --yes --out jane.handoff", "wrote the handoff")
	d.says(t, 0, "fetch jane --from jane.handoff --dir jane", "wrote the kubeconfig")
	d.says(t, 1, "fetch jane --from missing --dir jane", "missing")
	d.says(t, 1, "fetch sam --from jane.handoff --dir sam", "not found")
}

func TestCommandLine_ATeamIsAFile(t *testing.T) {
	d := newDesk(t)
	if err := os.WriteFile("team.csv", []byte("name,groups\njane,dev\nsam,dev;ops\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.says(t, 0, "new-user -f team.csv --dir team --dry-run=client", "2 users")
	d.says(t, 0, "new-user -f team.csv --dir team --approve", "2 users: 2 onboarded")
	d.says(t, 0, "new-user -f team.csv --dir team --approve -o json", `"kind": "TeamReport"`)
	d.says(t, 0, "new-user -f team.csv --dir offline --offline", "nothing was sent anywhere")
	if err := os.WriteFile("bad.csv", []byte("name,groups\n,dev\njane,\njane,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.says(t, 2, "new-user -f bad.csv --dir bad", "bad.csv:2", "bad.csv:4")
}

func TestCommandLine_AccessIsGivenAndTakenAway(t *testing.T) {
	d := newDesk(t)
	d.server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
	d.runs(t, 0, "new-user jane -g dev --dir jane --approve")
	d.says(t, 0, "grant jane --clusterrole view --dry-run=client", "dry run")
	d.says(t, 0, "grant jane --clusterrole view", "view")
	d.says(t, 0, "grant --group dev --clusterrole view -o yaml", "kind: ClusterRoleBinding")
	d.says(t, 1, "grant jane --clusterrole no", "not found")
	d.says(t, 0, "offboard jane --dry-run=client", "to be removed from jane", "what jane still has")
	d.says(t, 2, "offboard jane", "--yes")
	d.says(t, 0, "offboard jane --block --yes", "blocked", "deleted", "what jane still has")
	d.says(t, 6, "grant jane --clusterrole view", "user-blocked")
	d.says(t, 0, "offboard jane --unblock --dry-run=client", "unblocked (dry run)")
	d.says(t, 0, "offboard jane --unblock", "jane unblocked")
	d.says(t, 0, "offboard jane --unblock", "jane not blocked")
	d.says(t, 0, "offboard jane --block --certificate jane/jane.kubeconfig --yes", "the certificate X509SHA256=")
	d.says(t, 4, "offboard nobody --yes", "nothing on the cluster names the user")
}

func TestCommandLine_ACertificateIsRenewed(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --dir jane --approve --renewable")
	d.says(t, 124, "renew --kubeconfig jane/jane.kubeconfig --timeout 100ms", "waiting for an administrator to approve", "to continue to wait")
	d.says(t, 0, "status --kubeconfig jane/jane.kubeconfig", "pending")
	d.says(t, 0, "approve jane --yes", "approved")
	d.says(t, 0, "renew --kubeconfig jane/jane.kubeconfig", "renewed jane@test")
	d.says(t, 0, "renew --kubeconfig jane/jane.kubeconfig --all --wait=false --exec", "the renewal is pending", "credential cache")
	d.says(t, 2, "renew --context nowhere", "not found")
}

func TestCommandLine_AReviewIsShownToWhoCannotDecide(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --dir jane")
	d.server.Refuse("update", "certificatesigningrequests/approval")
	d.says(t, 0, "show jane", "fingerprint")
	d.says(t, 0, "show jane -o json", `"kind": "RequestReview"`)
	d.says(t, 0, "show -f jane/jane.csr", "jane.csr")
	d.says(t, 4, "show sam", "not found")
	d.says(t, 2, "show", "what to show is missing")
	d.says(t, 1, "approve jane --yes", "forbidden: you cannot approve")
}

func TestCommandLine_ObjectsArePrintedAsKubectlDoes(t *testing.T) {
	d := newDesk(t)
	d.server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
	d.says(t, 0, "new-user jane --dir jane -o yaml", "kind: CertificateSigningRequest")
	d.says(t, 0, "new-user sam --dir sam --dry-run=server -o name", "certificatesigningrequest.certificates.k8s.io/sam-")
	d.says(t, 0, "new-user sam --dir sam", "submitted")
	d.says(t, 0, "approve jane --yes -o name", "certificatesigningrequest.certificates.k8s.io/jane-")
	d.says(t, 0, "approve --all --yes -o json", `"kind": "CertificateSigningRequestList"`)
	d.says(t, 0, "grant jane --clusterrole view -o name", "clusterrolebinding.rbac.authorization.k8s.io/")
	d.says(t, 0, "grant jane --clusterrole view --renewable --dry-run=client -o json", `"kind": "List"`)
	d.says(t, 2, "approve jane --yes -o xml", "xml")
}

func TestCommandLine_ACertificateIsSignedWithoutACluster(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --offline --dir jane")
	certificate, key := d.server.AuthorityFiles(t)
	for name, text := range map[string][]byte{"ca.crt": certificate, "ca.key": key} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const sign = "sign jane/jane.csr --ca-cert ca.crt --ca-key ca.key --out "
	d.says(t, 2, sign+"jane.crt", "--yes")
	d.says(t, 0, sign+"jane.crt --yes", "jane.crt")
	d.says(t, 0, sign+"jane.handoff --yes --server "+d.server.Endpoint.Server, "jane.handoff")
	d.says(t, 0, "fetch jane --from jane.handoff --dir jane", "logged in")
	if text, err := os.ReadFile("csr-onboard-issued.jsonl"); err != nil || bytes.Count(text, []byte("\n")) != 2 {
		t.Errorf("%s, %v", text, err)
	}
}

func TestCommandLine_DoctorExaminesTheCluster(t *testing.T) {
	d := newDesk(t)
	d.says(t, 0, "doctor --probe", "pass     signer", "pass     client-certificates")
	d.says(t, 0, "doctor -o json", `"kind": "Examination"`)
	d.server.Refuse("create", "certificatesigningrequests")
	d.says(t, 1, "doctor", "fail     may-create", "to do:")
}

func TestCommandLine_CompletionKnowsTheCluster(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --dir jane")
	for line, want := range map[string]string{
		"__complete approve j":                  "jane",
		"__complete offboard j":                 "jane",
		"__complete grant --group ":             "",
		"__complete new-user --context t":       "test",
		"__complete list -o j":                  "json",
		"__complete new-user --key-algorithm e": "ed25519",
	} {
		out, _ := d.runs(t, 0, line)
		if !strings.Contains(out, want) {
			t.Errorf("%s: %q", line, out)
		}
	}
	if err := os.Mkdir("bin", 0o700); err != nil {
		t.Fatal(err)
	}
	d.says(t, 0, "completion install --dir bin", "kubectl_complete-csr_onboard", "not on PATH")
	d.says(t, 0, "completion install --dir bin", "kubectl_complete-csr_onboard")
	if err := os.WriteFile(filepath.Join("bin", completionProgram), []byte("#!/bin/sh\necho mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.says(t, 1, "completion install --dir bin", "hint:")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		d.says(t, 0, "completion "+shell, "kubectl-csr_onboard")
	}
	d.says(t, 2, "completion", "what to do is missing")
}

func TestCommandLine_VersionAsksTheServer(t *testing.T) {
	d := newDesk(t)
	d.says(t, 0, "version", "kubectl csr-onboard v0.1.0", "server v1.35.0")
	d.says(t, 0, "version --client -o json", `"gitVersion": "v0.1.0"`)
	d.says(t, 0, "version -o yaml", "serverVersion")
	d.server.Answer = nil
	t.Setenv("KUBECONFIG", filepath.Join(d.home, "missing"))
	d.says(t, 0, "version", "kubectl csr-onboard v0.1.0")
	d.says(t, 1, "list", "no kubeconfig found")
}

// TestCommandLine_AVersionThatIsInterruptedEndsSo is for Ctrl-C while the API server does not answer.
func TestCommandLine_AVersionThatIsInterruptedEndsSo(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d.server.Answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/version") {
			cancel()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	var out, errOut bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut}
	code := Execute(ctx, []string{"version"}, streams, buildinfo.Build{Version: "v0.1.0"}, time.Now)
	if code != 130 || !strings.Contains(errOut.String(), "interrupted") || out.Len() > 0 {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errOut.String())
	}
}

func TestCommandLine_WithoutACommandItHelps(t *testing.T) {
	d := newDesk(t)
	out, _ := d.runs(t, 0, "")
	for i := range commands {
		if !strings.Contains(out, commands[i].name) && commands[i].name != "credential" {
			t.Errorf("%s is missing in\n%s", commands[i].name, out)
		}
	}
}

// TestCommandLine_AMissingFileIsNamedOnce is for every flag and argument that names a file to be read.
func TestCommandLine_AMissingFileIsNamedOnce(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --dir jane")
	for line, code := range map[string]int{
		"new-user -f missing":                                   2,
		"new-user kim --key missing":                            2,
		"approve -f missing":                                    1,
		"show -f missing":                                       1,
		"fetch jane --dir jane --from missing":                  1,
		"offboard jane --certificate missing":                   2,
		"revoke --certificate missing":                          2,
		"revoke --service-account-token missing":                2,
		"revocations render --base missing":                     2,
		"ledger verify missing":                                 1,
		"ledger import --certificate missing":                   2,
		"ledger import --audit-log missing":                     1,
		"ledger import --issuance-log missing":                  1,
		"ledger seen --audit-log missing":                       1,
		"sign missing --yes --ca-cert missing --ca-key missing": 1,
		"list --kubeconfig missing":                             2,
		"list --contexts-from missing":                          2,
		"status --kubeconfig missing":                           2,
	} {
		_, errOut := d.runs(t, code, line)
		if strings.Count(errOut, `"missing"`) != 1 || !strings.Contains(errOut, "error: ") {
			t.Errorf("%s: %s", line, errOut)
		}
	}
}
