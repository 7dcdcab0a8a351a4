package command

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// execute runs the program, and returns its exit code and what it wrote.
func execute(t *testing.T, arguments ...string) (code int, out, errOut string) {
	t.Helper()
	var outText, errText bytes.Buffer
	code = Execute(t.Context(), arguments, Environment{Out: &outText, Err: &errText, Version: "v1.2.3", Now: time.Now})
	return code, outText.String(), errText.String()
}

// file is a file with a text.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubeconfigOf is the path of a kubeconfig of an administrator of a server.
func kubeconfigOf(t *testing.T, server *clustertest.Server) string {
	t.Helper()
	names := kubeconfig.Names{Cluster: "test", Context: "test"}
	encoded, err := kubeconfig.Encode(kubeconfig.Assemble(server.Endpoint, server.Credentials(t, "admin", clustertest.Masters), names, ""))
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "config", string(encoded))
}

// policyText is a policy as people write it.
func policyText(name, expression string) string {
	return `{"apiVersion":"csr-onboard.github.io/v1alpha1","kind":"ApprovalPolicy","metadata":{"name":"` + name +
		`"},"spec":{"action":"Approve","conditions":[{"name":"c","expression":"` + expression + `","message":"because"}]}}`
}

func TestFaults_WhatIsMissingOrWrongIsNamedWithWhatToDo(t *testing.T) {
	passwordless := file(t, "config", "current-context: x\nclusters: [{name: x, cluster: {server: 'https://u:secret@127.0.0.1'}}]\ncontexts: [{name: x, context: {cluster: x}}]\n")
	invalid := file(t, "config", "users: [{name: x, user: {token: [secret]}}]\n")
	one, two := file(t, "one.json", policyText("all", "true")), file(t, "two.json", policyText("all", "false"))
	scratch := t.TempDir()
	for about, test := range map[string]struct {
		arguments string
		code      int
		says      []string
	}{
		"the duration of the ledger":              {"run --controllers=ledger --kubeconfig K --retention soon", 2, []string{"--retention: "}},
		"no controllers":                          {"run --kubeconfig K", 2, []string{"--controllers is required", "approver, ledger"}},
		"an unknown controller":                   {"run --controllers=ledger,signer --kubeconfig K", 2, []string{`unknown controller "signer"`, "approver, ledger"}},
		"a controller twice":                      {"run --controllers=ledger,approver,ledger --kubeconfig K", 2, []string{`"ledger" is named twice`}},
		"no kubeconfig":                           {"run --controllers=ledger", 2, []string{"--kubeconfig is required", "run --help"}},
		"a kubeconfig with a password":            {"run --controllers=ledger --kubeconfig " + passwordless, 1, []string{"invalid server address"}},
		"a kubeconfig of enforce with a password": {"enforce --directory D --node n --kubeconfig " + passwordless, 1, []string{"invalid server address"}},
		"a kubeconfig of policy with a password":  {"policy check --kubeconfig " + passwordless, 1, []string{"invalid server address"}},
		"a kubeconfig that is not one":            {"run --controllers=ledger --kubeconfig " + invalid, 2, []string{"cannot be used", "kubectl config view"}},
		"a kubeconfig of policy that is not one":  {"policy explain a b --kubeconfig " + invalid, 2, []string{"the kubeconfig cannot be used", "kubectl config view"}},
		"no directory":                            {"enforce init --authorization-mode RBAC", 2, []string{"--directory is required", "for example: --directory"}},
		"a directory below a file":                {"enforce init --authorization-mode RBAC --directory " + one + "/D", 1, []string{"one.json"}},
		"an output format":                        {"policy check -o xml", 2, []string{`-o "xml" is not a valid output format`, "use json or yaml"}},
		"an output format of explain":             {"policy explain a b -o xml", 2, []string{`-o "xml" is not a valid output format`}},
		"a file that is missing":                  {"policy check -f D/none", 2, []string{"--filename", "none", "cannot be read"}},
		"a file that is not a policy":             {"policy check -f " + invalid, 2, []string{"is not valid", "docs/guides/policy.md"}},
		"a policy in two files":                   {"policy check -f " + one + " -f " + two, 2, []string{`the policy "all" is in `, "one.json", "two.json", "a name of its own"}},
	} {
		arguments := strings.NewReplacer(" D", " "+scratch, " K", " "+scratch+"/missing").Replace(test.arguments)
		code, out, errOut := execute(t, strings.Fields(arguments)...)
		if code != test.code || out != "" || strings.Contains(errOut, "secret") {
			t.Errorf("%s: exit code %d: %s%s", about, code, out, errOut)
		}
		for _, part := range test.says {
			if !strings.Contains(errOut, part) {
				t.Errorf("%s: %q is missing: %s", about, part, errOut)
			}
		}
	}
}

func TestFaults_AnAddressThatIsTakenIsNamed(t *testing.T) {
	server := clustertest.New(t)
	taken := strings.TrimPrefix(server.Endpoint.Server, "https://")
	code, out, errOut := execute(t, "run", "--controllers=ledger", "--kubeconfig", kubeconfigOf(t, server), "--metrics-address", taken)
	if code != 1 || out != "" || !strings.Contains(errOut, `cannot serve metrics at "`+taken+`"`) || !strings.Contains(errOut, "--metrics-address") || len(server.Names("leases")) > 0 {
		t.Errorf("exit code %d: %s%s", code, out, errOut)
	}
}

func TestRoot_WithoutACommandThereIsHelp(t *testing.T) {
	for arguments, part := range map[string]string{"": "csr-onboard-controller [command]", "policy": "csr-onboard-controller policy [command]"} {
		if code, out, errOut := execute(t, strings.Fields(arguments)...); code != 0 || errOut != "" || !strings.Contains(out, part) {
			t.Errorf("%q: exit code %d: %s%s", arguments, code, out, errOut)
		}
	}
}

// TestRoot_TheTreeNamesEveryCommand is for the pages that are made of it.
func TestRoot_TheTreeNamesEveryCommand(t *testing.T) {
	tree := Tree("v1.2.3")
	for _, path := range []string{"enforce", "enforce init", "run", "policy", "policy check", "policy explain"} {
		if found, rest, err := tree.Find(strings.Fields(path)); err != nil || len(rest) > 0 || found.CommandPath() != program+" "+path || found.Short == "" {
			t.Errorf("%s: %v, %v", path, rest, err)
		}
	}
	if tree.Version != "v1.2.3" {
		t.Errorf("the version is %q", tree.Version)
	}
}

// failing fails to write after so many writes.
type failing struct{ after int }

var errClosed = errors.New("the pipe is closed")

func (f *failing) Write(text []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errClosed
	}
	return len(text), nil
}

// unasked is the record of a certificate of jane, of which the ledger does not hold the request.
func unasked() *ledger.ClientCertificate {
	return &ledger.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("a1", 32)},
		Spec: ledger.Spec{
			User: "jane", Groups: []string{"dev"}, Key: ledger.Key{Fingerprint: "SHA256:x", Algorithm: "ECDSA P-256"},
			NotBefore: metav1.NewTime(now), NotAfter: metav1.NewTime(now.Add(time.Hour)),
		},
	}
}

func TestPolicy_RecordsThatDoNotHoldTheirRequestAreCounted(t *testing.T) {
	server := clustertest.New(t)
	server.Put(t, unasked())
	var out, errOut bytes.Buffer
	arguments := []string{"policy", "check", "--from-ledger", "--since", "1h", "-f", file(t, "one.json", policyText("all", "true")), "--kubeconfig", kubeconfigOf(t, server)}
	code := Execute(t.Context(), arguments, Environment{Out: &out, Err: &errOut, Version: "v1.2.3", Now: func() time.Time { return now.Add(time.Minute) }})
	if code != 0 || !strings.Contains(errOut.String(), "0 requests since 2026-11-27T11:01:00Z") ||
		!strings.Contains(errOut.String(), "not evaluated: 1 record that does not hold who asked for what") {
		t.Errorf("exit code %d: %s%s", code, out.String(), errOut.String())
	}
}

// TestPolicy_WhatCannotBeWrittenIsAnError: a script would take half of a check for the whole.
func TestPolicy_WhatCannotBeWrittenIsAnError(t *testing.T) {
	server := clustertest.New(t)
	server.Put(t, unasked())
	submitted(t, server)
	broken := file(t, "broken.json", policyText("all", "subject.team == 'x'"))
	config := kubeconfigOf(t, server)
	for about, test := range map[string]struct {
		out, err int
		ledger   bool
	}{
		"the result": {0, 100, false}, "what is broken": {100, 0, false}, "what the ledger does not hold": {100, 0, true}, "what was not evaluated": {100, 1, true},
		"what is broken on the ledger": {100, 2, true},
	} {
		command := newPolicyCheck(Environment{Out: &failing{test.out}, Err: &failing{test.err}, Version: "v1.2.3", Now: func() time.Time { return now.Add(time.Minute) }})
		arguments := []string{"-f", broken, "--kubeconfig", config}
		if test.ledger {
			arguments = append(arguments, "--from-ledger", "--since", "1h")
		}
		command.SetArgs(arguments)
		command.SilenceErrors, command.SilenceUsage = true, true
		if err := command.ExecuteContext(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

// TestPolicy_AnExplanationThatFailsIsPrintedWithItsError has a request of jane and a policy that divides by zero.
func TestPolicy_AnExplanationThatFailsIsPrintedWithItsError(t *testing.T) {
	server := clustertest.New(t)
	submitted(t, server)
	config := kubeconfigOf(t, server)
	broken, good := file(t, "broken.json", policyText("zero", "1 / size(findings.filter(f, f == 'none')) == 1")), file(t, "good.json", policyText("good", "true"))
	code, out, errOut := execute(t, "policy", "explain", "zero", "csr-jane", "-f", broken, "--kubeconfig", config)
	if code != 1 || !strings.Contains(out, "csr-jane") || !strings.Contains(errOut, "division by zero") {
		t.Errorf("exit code %d: %s%s", code, out, errOut)
	}
	code, out, errOut = execute(t, "policy", "explain", "good", "csr-jane", "-f", good, "--kubeconfig", config)
	if code != 0 || !strings.Contains(out, "csr-jane") || errOut != "" {
		t.Errorf("exit code %d: %s%s", code, out, errOut)
	}
	command := newPolicyExplain(Environment{Out: &failing{}, Err: &failing{}, Version: "v1.2.3", Now: time.Now})
	command.SetArgs([]string{"good", "csr-jane", "-f", good, "--kubeconfig", config})
	command.SilenceErrors, command.SilenceUsage = true, true
	if err := command.ExecuteContext(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("nowhere to write to: %v", err)
	}
	// Nothing is explained of a cluster that cannot be read.
	server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		isIt := strings.HasSuffix(r.URL.Path, "/rolebindings")
		if isIt {
			clustertest.Fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		}
		return isIt
	}
	for _, arguments := range [][]string{{"explain", "good", "csr-jane"}, {"check"}} {
		code, out, errOut = execute(t, append(append([]string{"policy"}, arguments...), "-f", good, "--kubeconfig", config)...)
		if code == 0 || out != "" || !strings.Contains(errOut, "forbidden") {
			t.Errorf("%q: exit code %d: %s%s", arguments, code, out, errOut)
		}
	}
}

// submitted has a request of jane on a server.
func submitted(t *testing.T, server *clustertest.Server) {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	made, err := pki.NewRequest(key, identity.User{Name: "jane"})
	if err != nil {
		t.Fatal(err)
	}
	object := request.Build(made, request.Terms{Lifetime: time.Hour, Name: "csr-jane"}).CertificateSigningRequest
	object.Spec.Username, object.Spec.Groups = "jane", []string{"system:authenticated"}
	server.Put(t, object)
}
