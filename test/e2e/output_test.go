package e2e

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

func TestOutput_AClientsDryRunCanBeAppliedByKubectl(t *testing.T) {
	s := newSession(t, shared)
	s.shell("kubectl csr-onboard new-user piped -g dev --dir D --dry-run=client -o yaml | kubectl apply -f -")
	s.must("approve", "piped", "--yes")
	s.must("fetch", "piped", "--dir", "D")
	if who := whoIs(t, s.path("D", "piped.kubeconfig")); who != "piped" {
		t.Errorf("the kubeconfig logs in as %q", who)
	}
}

func TestOutput_AClientsDryRunNeedsNoCluster(t *testing.T) {
	s := newSession(t, shared)
	s.env.Kubeconfig = ""
	if printed := s.must("new-user", "alone", "--dir", "D", "--dry-run=client", "-o", "jsonpath={.spec.usages}"); printed.Stdout != `["client auth"]` {
		t.Errorf("standard output is %q", printed.Stdout)
	}
}

func TestOutput_AServersDryRunStoresNothing(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "dry", "--dir", "D", "--dry-run=server")
	if !strings.HasSuffix(printed.Stdout, " created (server dry run)\n") {
		t.Errorf("standard output is %q", printed.Stdout)
	}
	if n := countRequestsOf(s, "dry-"); n != 0 {
		t.Errorf("%d requests were stored", n)
	}
	s.check(s.as(nobody).run("new-user", "dry", "--dir", "D", "--dry-run=server"), expect{1, []string{"you cannot create"}})
	s.check(s.run("new-user", "dry", "--dir", "D", "--dry-run=maybe"), expect{2, []string{`--dry-run "maybe" is none of`}})
	s.check(s.run("new-user", "dry", "--dir", "D", "--dry-run=server", "--approve"), expect{2, []string{"--dry-run excludes --approve"}})
}

func TestOutput_StandardOutputIsData(t *testing.T) {
	s := newSession(t, shared)
	created := s.must("new-user", "data", "--dir", "D").Stdout
	name := objectName(created)
	if want := "certificatesigningrequest.certificates.k8s.io/" + name + " created\n"; created != want {
		t.Errorf("new-user printed %q, want %q", created, want)
	}
	if again := s.must("new-user", "data", "--dir", "D").Stdout; again != strings.Replace(created, "created", "unchanged", 1) {
		t.Errorf("new-user again printed %q", again)
	}
	if named := s.must("new-user", "data", "--dir", "D", "-o", "name").Stdout; named != "certificatesigningrequest.certificates.k8s.io/"+name+"\n" {
		t.Errorf("new-user -o name printed %q", named)
	}
	if approved := s.must("approve", "data", "--yes", "-o", "jsonpath={.status.conditions[0].type}").Stdout; approved != "Approved" {
		t.Errorf("approve printed %q", approved)
	}
	var report struct {
		APIVersion, Kind, Kubeconfig, Context, Request string
		LoggedIn                                       bool
		User                                           struct {
			Name   string
			Groups []string
		}
		Certificate struct{ KeyFingerprint, CredentialID, NotAfter string }
	}
	if err := json.Unmarshal([]byte(s.must("fetch", "data", "--dir", "D", "-o", "json").Stdout), &report); err != nil {
		t.Fatal(err)
	}
	fingerprint := request.ReviewOf(s.object(created)).Fingerprint
	if report.Kind != "FetchedCertificate" || report.APIVersion != "csr-onboard.github.io/v1alpha1" || report.User.Name != "data" ||
		report.Kubeconfig != "D/data.kubeconfig" || report.Context != "data@csr-onboard" || report.Request != name || !report.LoggedIn ||
		report.Certificate.KeyFingerprint != fingerprint || report.User.Groups == nil {
		t.Errorf("the report is %+v", report)
	}
	credential := s.kubectl("--kubeconfig", "D/data.kubeconfig", "auth", "whoami", "-o", `jsonpath={.status.userInfo.extra.authentication\.kubernetes\.io/credential-id[0]}`)
	if credential.Stdout != report.Certificate.CredentialID {
		t.Errorf("the cluster calls the credential %q, the report %q", credential.Stdout, report.Certificate.CredentialID)
	}
	s.check(s.run("fetch", "data", "--dir", "D", "-o", "name"), expect{2, []string{`-o "name" is not a valid output format`}})
	s.check(s.run("fetch", "data", "--dir", "D", "-o", "json", "--out", "-"), expect{2, []string{"both want standard output"}})
	s.check(s.run("approve", "data", "-o", "wide"), expect{2, []string{`-o "wide"`}})
}

func TestOutput_ContextAndImpersonationAreKubectlsOwn(t *testing.T) {
	s := newSession(t, shared)
	s.check(s.run("new-user", "flags", "--dir", "D", "--as", nobody), expect{1, []string{`User "nobody" cannot create`}})
	s.must("new-user", "flags", "--dir", "D", "--context", "administrator@csr-onboard", "--cluster", "csr-onboard", "--user", "administrator")
}

func TestOutput_AFullDiskLosesNothing(t *testing.T) {
	s := merging(t)
	s.must("new-user", "full", "--dir", "D", "--approve")
	before := s.read("config")
	// A limit on what a process may write stands for the end of the disk.
	full := func(arguments string) string {
		t.Helper()
		result := program.Run(t, s.env.Command(t.Context(), "/bin/sh", "-c", "ulimit -f 0; exec kubectl-csr_onboard "+arguments))
		if result.Code != 1 {
			t.Errorf("exit code %d", result.Code)
		}
		return result.Stderr
	}
	if said := full("fetch full --dir D --merge"); !strings.Contains(said, "error: the kubeconfig was not written") || !strings.Contains(said, "file too large") {
		t.Errorf("fetch --merge says:\n%s", said)
	}
	if string(s.read("config")) != string(before) {
		t.Error("the kubeconfig was changed")
	}
	if said := full("new-user fuller --dir D"); !strings.Contains(said, "error: the private key cannot be written") {
		t.Errorf("new-user says:\n%s", said)
	}
	if _, exists := s.readIfThere("D", "fuller.key"); exists {
		t.Error("a part of a key was left")
	}
	for _, directory := range []string{".", "D"} {
		if leftovers := temporaryFiles(t, s.path(directory)); len(leftovers) > 0 {
			t.Errorf("temporary files were left: %v", leftovers)
		}
	}
	if _, err := os.Stat(s.path("config.lock")); !os.IsNotExist(err) {
		t.Error("the lock was left")
	}
	s.must("fetch", "full", "--dir", "D", "--merge")
}

func TestOutput_AnAdministratorWhoLogsInByAPluginCanDoAllOfIt(t *testing.T) {
	s := newSession(t, shared)
	admin := s.loadFrom(shared.Kubeconfig)
	user := admin.AuthInfos["administrator"]
	credential, err := json.Marshal(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
		"status": map[string]string{"clientCertificateData": string(user.ClientCertificateData), "clientKeyData": string(user.ClientKeyData)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.write("credential.json", string(credential))
	s.write("login.sh", "#!/bin/sh\nwhile IFS= read -r line; do printf '%s\\n' \"$line\"; done <"+s.path("credential.json")+"\nprintf '%s\\n' \"$line\"\n")
	if err := os.Chmod(s.path("login.sh"), 0o700); err != nil { //nolint:gosec // A program.
		t.Fatal(err)
	}
	admin.AuthInfos["administrator"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: s.path("login.sh"), InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}}
	if err := clientcmd.WriteToFile(*admin, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.env.Kubeconfig = s.path("config")
	s.must("new-user", "plugged", "--approve", "--merge", "--dir", "D")
	after := s.load("config")
	if exec := after.AuthInfos["administrator"].Exec; exec == nil || exec.Command != s.path("login.sh") {
		t.Error("the administrator's own way to log in was lost")
	}
	whoami := s.kubectl("--context", "plugged@csr-onboard", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if whoami.Stdout != "plugged" {
		t.Errorf("whoami says %q\n%s", whoami.Stdout, whoami.Stderr)
	}
}

func TestOutput_ALogLevelShowsCallsWithoutBodiesAndHeaders(t *testing.T) {
	s := newSession(t, shared)
	const call = `(?m)^GET /apis/certificates\.k8s\.io/v1/certificatesigningrequests\?\S+: 200 OK in \d+(µs|ms|s)(, audit ID \S+)?$`
	verbose := s.must("list", "-v", "6")
	if !regexp.MustCompile(call).MatchString(verbose.Stderr) {
		t.Errorf("no line is %s:\n%s", call, verbose.Stderr)
	}
	for line := range strings.Lines(verbose.Stderr) {
		if !regexp.MustCompile(`^(GET|POST) /\S+: \d+ |^no certificate`).MatchString(line) {
			t.Errorf("it says %q", line)
		}
	}
	if quiet := s.must("list"); strings.Contains(quiet.Stderr, "GET ") {
		t.Errorf("without the flag it says %q", quiet.Stderr)
	}
	away := s.run("list", "--v=1", "--server", "https://127.0.0.1:1")
	s.check(away, expect{1, []string{"GET /", "connection refused"}})
}
