package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// withCompletion is a session in which kubectl completes the plugin's command line.
func withCompletion(t *testing.T, plane *controlplane.Plane) *session {
	t.Helper()
	s := newSession(t, plane)
	s.must("completion", "install", "--dir", "completions")
	s.env.Path = append(s.env.Path, s.path("completions"), standardTools())
	return s
}

// tab presses Tab behind a command line, through kubectl, and returns what is offered.
func (s *session) tab(words ...string) []string {
	s.t.Helper()
	return offered(s.t, s.kubectl(append([]string{"__complete", "csr-onboard"}, words...)...))
}

func offered(t *testing.T, result program.Result) []string {
	t.Helper()
	if result.Code != 0 {
		t.Fatalf("exit code %d\n%s", result.Code, result.Stderr)
	}
	lines := strings.Split(strings.TrimSpace(result.Stdout), "\n")
	last := len(lines) - 1
	if lines[last] != ":4" {
		t.Errorf("the last line is %q, want the directive that files are not meant", lines[last])
	}
	return lines[:last]
}

func TestCompletion_TabOffersWhatIsPending(t *testing.T) {
	t.Parallel()
	s := withCompletion(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	s.must("new-user", "jane", "-g", "dev", "--dir", "D")
	s.must("new-user", "done", "--dir", "D")
	s.must("approve", "done", "--yes")
	evil := objectName(s.must("new-user", "x$(touch pwned)", "--dir", "D").Stdout)
	first := objectName(s.must("new-user", "twice", "--dir", "D").Stdout)
	second := objectName(s.must("new-user", "twice", "--dir", "E").Stdout)

	got := s.tab("approve", "")
	var names []string
	for _, line := range got {
		name, about, _ := strings.Cut(line, "\t")
		names = append(names, name)
		if name == "jane" && !strings.HasPrefix(about, "jane (dev), asked ") {
			t.Errorf("of jane it is said: %q", about)
		}
	}
	want := []string{"jane", first, second, evil}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("approve offers %q, want %q: no decided request, and no name that a shell would obey", names, want)
	}
	if got := s.tab("approve", "jane", "ja"); len(got) > 0 {
		t.Errorf("who is named already is offered again: %q", got)
	}
	if got := s.tab("deny", "ja"); len(got) != 1 || !strings.HasPrefix(got[0], "jane\t") {
		t.Errorf("deny offers %q", got)
	}
	if got := s.tab("appr"); len(got) != 1 || !strings.HasPrefix(got[0], "approve\t") {
		t.Errorf("appr is completed as %q", got)
	}
}

func TestCompletion_TabOffersNamesFromTheClusterAndTheMachine(t *testing.T) {
	t.Parallel()
	s := withCompletion(t, controlplane.Start(t))
	s.must("new-user", "jane", "-g", "dev", "--approve", "--clusterrole", "view", "-n", "default")
	s.must("grant", "jane", "--clusterrole", "view", "--to-group")
	s.kubectl("create", "role", "deployer", "-n", "kube-public", "--verb=get", "--resource=pods")
	for _, test := range []struct {
		about string
		words []string
		want  string
	}{
		{"users whom bindings name", []string{"offboard", "ja"}, "jane\tClusterRole/view in default"},
		{"users whom bindings name", []string{"grant", ""}, "jane\tClusterRole/view in default"},
		{"users whose keys are here", []string{"fetch", ""}, "jane\tjane (dev)"},
		{"groups that are bound", []string{"new-user", "x", "--group", ""}, "dev\tClusterRole/view everywhere"},
		{"ClusterRoles", []string{"approve", "jane", "--clusterrole", "vie"}, "view"},
		{"Roles of the namespace", []string{"grant", "jane", "-n", "kube-public", "--role", "dep"}, "deployer"},
		{"namespaces", []string{"list", "-n", "kube-p"}, "kube-public"},
		{"contexts", []string{"renew", ""}, "administrator@csr-onboard"},
		{"contexts for a flag", []string{"status", "--context", "admin"}, "administrator@csr-onboard"},
		{"findings", []string{"approve", "jane", "--allow", "sans"}, "sans-present"},
		{"kinds of key", []string{"new-user", "x", "--key-algorithm", "ed"}, "ed25519"},
	} {
		if got := s.tab(test.words...); len(got) != 1 || got[0] != test.want {
			t.Errorf("%s, %q: %q, want %q", test.about, test.words, got, test.want)
		}
	}
}

func TestCompletion_TabRunsNoProgramToLogIn(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "tabitha", "--dir", "D")
	s.must("new-user", "tabber", "--dir", "D", "--approve", "--exec", "--clusterrole", "system:kube-controller-manager")
	ours, err := clientcmd.LoadFromFile(s.path("D", "tabber.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	entry := ours.AuthInfos[ours.Contexts[ours.CurrentContext].AuthInfo]
	exec := entry.Exec
	// It would be run with what a kubeconfig says of its environment.
	exec.Env = []clientcmdapi.ExecEnvVar{{Name: "LD_PRELOAD", Value: s.path("planted.so")}}
	ran := s.path("ran")
	planted := "#!/bin/sh\ntouch " + ran + "\nexec " + binary + " \"$@\"\n"
	if err := os.Mkdir(s.path("planted"), 0o700); err != nil {
		t.Fatal(err)
	}
	foreign := s.path("planted", "kubectl-csr_onboard")
	if err := os.WriteFile(foreign, []byte(planted), 0o700); err != nil { //nolint:gosec // It is a program.
		t.Fatal(err)
	}
	offers := func(command string) []string {
		t.Helper()
		exec.Command = command
		if err := clientcmd.WriteToFile(*ours, s.path("config")); err != nil {
			t.Fatal(err)
		}
		return offered(t, s.run("__complete", "--kubeconfig", s.path("config"), "approve", "tabi"))
	}
	for _, command := range []string{foreign, "planted/kubectl-csr_onboard"} {
		if got := offers(command); len(got) > 0 {
			t.Errorf("%s: it offers %q", command, got)
		}
	}
	for _, command := range []string{binary, "kubectl-csr_onboard"} {
		if got := offers(command); len(got) != 1 || !strings.HasPrefix(got[0], "tabitha\t") {
			t.Errorf("%s, which is this program: it offers %q", command, got)
		}
	}
	exec.Args = nil
	if got := offers(foreign); len(got) > 0 {
		t.Errorf("it offers %q", got)
	}
	if _, exists := s.readIfThere("ran"); exists {
		t.Error("pressing Tab ran another program")
	}
}

func TestCompletion_TabIsSilentWhereNothingCanBeAsked(t *testing.T) {
	s := newSession(t, shared)
	for about, result := range map[string]program.Result{
		"no server there":   s.run("__complete", "--server", "https://127.0.0.1:1", "approve", ""),
		"no kubeconfig":     s.run("__complete", "--kubeconfig", s.path("none"), "approve", ""),
		"no such context":   s.run("__complete", "--context", "none", "approve", ""),
		"nothing permitted": s.as(nobody).run("__complete", "approve", ""),
	} {
		if got := offered(t, result); len(got) > 0 {
			t.Errorf("%s: it offers %q", about, got)
		}
		if said := strings.TrimSpace(result.Stderr); said != "Completion ended with directive: ShellCompDirectiveNoFileComp" {
			t.Errorf("%s: it says %q", about, said)
		}
	}
}

func TestCompletion_TheVersionsOfClientAndServer(t *testing.T) {
	s := newSession(t, shared)
	server := strings.TrimSpace(s.kubectl("get", "--raw", "/version").Stdout)
	var info struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal([]byte(server), &info); err != nil {
		t.Fatal(err)
	}
	text := s.must("version")
	if want := "\nserver " + info.GitVersion + ", go"; !strings.HasPrefix(text.Stdout, "kubectl csr-onboard v0.0.0-test") || !strings.Contains(text.Stdout, want) {
		t.Errorf("it says %q, want %q in it", text.Stdout, want)
	}
	var report struct {
		ClientVersion, ServerVersion *struct {
			GitVersion string `json:"gitVersion"`
			GoVersion  string `json:"goVersion"`
		}
	}
	if err := json.Unmarshal([]byte(s.must("version", "-o", "json").Stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.ClientVersion == nil || report.ClientVersion.GitVersion != "v0.0.0-test" || !strings.HasPrefix(report.ClientVersion.GoVersion, "go") ||
		report.ServerVersion == nil || report.ServerVersion.GitVersion != info.GitVersion {
		t.Errorf("the report says %+v", report)
	}
	away := s.must("version", "--server", "https://127.0.0.1:1")
	if strings.Contains(away.Stdout, "server") || !strings.Contains(away.Stderr, "warning: the server's version is unknown") {
		t.Errorf("with the server away it says %q and %q", away.Stdout, away.Stderr)
	}
	s.env.Kubeconfig = s.path("missing")
	if alone := s.must("version", "--client"); alone.Stderr != "" {
		t.Errorf("with --client it asks the server: %q", alone.Stderr)
	}
	s.check(s.run("version", "--client", "--server", "https://127.0.0.1:1"), expect{2, []string{"--server does nothing with --client"}})
}
