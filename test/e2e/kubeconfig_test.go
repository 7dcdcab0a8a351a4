package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// merging is a session whose KUBECONFIG is a copy of the administrator's, to be
// merged into.
func merging(t *testing.T) *session {
	t.Helper()
	s := newSession(t, shared)
	data, err := os.ReadFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	s.write("config", string(data))
	s.env.Kubeconfig = s.path("config")
	return s
}

func (s *session) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) load(name string) *clientcmdapi.Config {
	s.t.Helper()
	return s.loadFrom(s.path(name))
}

func (s *session) loadFrom(path string) *clientcmdapi.Config {
	s.t.Helper()
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return config
}

func TestKubeconfig_FetchCanWriteElsewhere(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "out", "--dir", "D")
	s.must("approve", "out", "--yes")

	if printed := s.must("fetch", "out", "--dir", "D", "--out", "some/where.kubeconfig"); printed.Stdout != "some/where.kubeconfig\n" {
		t.Errorf("standard output is %q", printed.Stdout)
	}
	if who := whoIs(t, s.path("some", "where.kubeconfig")); who != "out" {
		t.Errorf("the file logs in as %q", who)
	}
	if info, err := os.Stat(s.path("some", "where.kubeconfig")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}

	s.write("piped", s.must("fetch", "out", "--dir", "D", "--out", "-").Stdout)
	if who := whoIs(t, s.path("piped")); who != "out" {
		t.Errorf("standard output logs in as %q", who)
	}
	if _, err := os.Stat(s.path("D", "out.kubeconfig")); !os.IsNotExist(err) {
		t.Error("the kubeconfig was written into the user's directory as well")
	}

	s.write("other", "users: [{name: somebody, user: {token: x}}]")
	s.check(s.run("fetch", "out", "--dir", "D", "--out", "other"), expect{1, []string{`the kubeconfig "other" already exists, and its user "somebody" would be lost`, "--merge"}})
	if got := string(s.read("other")); got != "users: [{name: somebody, user: {token: x}}]" {
		t.Errorf("the other file became %q", got)
	}
}

func TestKubeconfig_FetchNamesWhatItIsToldTo(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "named", "--dir", "D")
	s.must("approve", "named", "--yes")
	result := s.must("fetch", "named", "--dir", "D", "--out", "config", "--external-server", "https://k8s.example.com:6443",
		"--cluster-name", "prod", "--context-name", "work", "--default-namespace", "team")
	if strings.Contains(result.Stderr, "--external-server URL") {
		t.Errorf("the loopback address is warned of although another was given:\n%s", result.Stderr)
	}
	config := s.load("config")
	if config.Clusters["prod"].Server != "https://k8s.example.com:6443" || config.CurrentContext != "work" ||
		config.Contexts["work"].Cluster != "prod" || config.Contexts["work"].Namespace != "team" || config.AuthInfos["work"] == nil {
		t.Errorf("the kubeconfig is %v", config)
	}
	if loopback := s.must("fetch", "named", "--dir", "D"); !strings.Contains(loopback.Stderr, "is reached from this machine only") {
		t.Errorf("the loopback address is not warned of:\n%s", loopback.Stderr)
	}
}

func TestKubeconfig_MergeTouchesOnlyItsOwnEntries(t *testing.T) {
	s := merging(t)
	before := s.load("config")
	result := s.must("new-user", "merged", "-g", "dev", "--dir", "D", "--approve", "--merge")
	if result.Stdout != s.path("config")+"\n" {
		t.Errorf("standard output is %q", result.Stdout)
	}
	after := s.load("config")
	if after.CurrentContext != before.CurrentContext {
		t.Errorf("the current context became %q", after.CurrentContext)
	}
	whoami := s.kubectl("--context", "merged@csr-onboard", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if whoami.Stdout != "merged" {
		t.Errorf("whoami says %q\n%s", whoami.Stdout, whoami.Stderr)
	}
	delete(after.AuthInfos, "merged@csr-onboard")
	delete(after.Contexts, "merged@csr-onboard")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what was there changed:\n%s", diff)
	}

	s.must("fetch", "merged", "--dir", "D", "--merge", "--set-current")
	if current := s.load("config").CurrentContext; current != "merged@csr-onboard" {
		t.Errorf("the current context is %q after --set-current", current)
	}
}

func TestKubeconfig_MergeRefusesAConflictAndNamesTheFlag(t *testing.T) {
	s := merging(t)
	s.must("new-user", "clash", "--dir", "D", "--approve")
	config := s.load("config")
	config.AuthInfos["clash@csr-onboard"] = &clientcmdapi.AuthInfo{Token: "mine"}
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	before := s.read("config")
	s.check(s.run("fetch", "clash", "--dir", "D", "--merge"), expect{1, []string{`a user "clash@csr-onboard" who is not this user`, "--context-name NAME"}})
	if string(s.read("config")) != string(before) {
		t.Error("the kubeconfig was changed")
	}
	s.must("fetch", "clash", "--dir", "D", "--merge", "--context-name", "clash-2")

	s.check(s.run("fetch", "clash", "--dir", "D", "--merge", "--context-name", "clash-3", "--external-server", "https://elsewhere.example.com"),
		expect{1, []string{`a cluster "csr-onboard"`, "--cluster-name NAME"}})
}

func TestKubeconfig_MergeGoesWhereKubectlWouldWrite(t *testing.T) {
	s := newSession(t, shared)
	data, err := os.ReadFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	s.write("second", string(data))
	s.env.Kubeconfig = s.path("missing") + string(filepath.ListSeparator) + s.path("second")
	s.must("new-user", "listed", "--dir", "D", "--approve", "--merge")
	if s.load("second").Contexts["listed@csr-onboard"] == nil {
		t.Error("the first file that exists was not the one")
	}
	if _, err := os.Stat(s.path("missing")); !os.IsNotExist(err) {
		t.Error("a file that was missing was made")
	}
}

func TestKubeconfig_SixteenAtOnceMergeIntoOneKubeconfigBesideKubectl(t *testing.T) {
	s := merging(t)
	const users = 16
	for n := range users {
		s.must("new-user", fmt.Sprintf("crowd-%d", n), "--dir", "D", "--approve")
	}
	var group, beside sync.WaitGroup
	done := make(chan struct{})
	beside.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			default:
				// It does not wait for a lock and may fail; what it writes must
				// not cost anybody an entry.
				_ = s.kubectl("config", "set-context", fmt.Sprintf("beside-%d", n%3), "--cluster=csr-onboard", "--user=administrator")
			}
		}
	})
	for n := range users {
		group.Go(func() {
			if result := s.run("fetch", fmt.Sprintf("crowd-%d", n), "--dir", "D", "--merge"); result.Code != 0 {
				t.Errorf("user %d: exit code %d\n%s", n, result.Code, result.Stderr)
			}
		})
	}
	group.Wait()
	close(done)
	beside.Wait()
	config := s.load("config")
	for n := range users {
		name := fmt.Sprintf("crowd-%d@csr-onboard", n)
		if config.AuthInfos[name] == nil || config.Contexts[name] == nil {
			t.Errorf("%s was lost", name)
		}
	}
	if config.AuthInfos["administrator"] == nil || config.CurrentContext != "administrator@csr-onboard" {
		t.Error("the administrator was lost")
	}
	if leftovers := temporaryFiles(t, s.env.Directory); len(leftovers) > 0 {
		t.Errorf("files were left: %v", leftovers)
	}
	if _, err := os.Stat(s.path("config.lock")); !os.IsNotExist(err) {
		t.Error("the lock was left")
	}
}

func TestKubeconfig_AnUncheckedServerIsWarnedOf(t *testing.T) {
	s := merging(t)
	config := s.load("config")
	config.Clusters["csr-onboard"].CertificateAuthorityData = nil
	config.Clusters["csr-onboard"].InsecureSkipTLSVerify = true
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	result := s.must("new-user", "unchecked", "--approve", "--dir", "D")
	if !strings.Contains(result.Stderr, "is not checked, here and in the new kubeconfig") {
		t.Errorf("the unchecked server is not warned of:\n%s", result.Stderr)
	}
}

func TestKubeconfig_NoPrivateKeyGoesWhereOthersRead(t *testing.T) {
	s := merging(t)
	s.must("new-user", "private", "--dir", "D", "--approve")
	if err := os.Chmod(s.path("D", "private.kubeconfig"), 0o644); err != nil { //nolint:gosec // Too open on purpose.
		t.Fatal(err)
	}
	s.check(s.run("fetch", "private", "--dir", "D"), expect{1, []string{`"D/private.kubeconfig" can be read by others`, "chmod 600 D/private.kubeconfig"}})

	// What they merge into is theirs to keep as it is; it is said.
	if err := os.Chmod(s.path("config"), 0o640); err != nil { //nolint:gosec // Too open on purpose.
		t.Fatal(err)
	}
	if merged := s.must("fetch", "private", "--dir", "D", "--merge"); !strings.Contains(merged.Stderr, "can be read by others than its owner, and holds private keys") {
		t.Errorf("the open kubeconfig is not warned of:\n%s", merged.Stderr)
	}
	if info, err := os.Stat(s.path("config")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the kubeconfig's mode became %v, %v", info.Mode(), err)
	}
}

func TestKubeconfig_AnApprovalIsNotSpentWhereTheKubeconfigCannotBeWritten(t *testing.T) {
	s := newSession(t, shared)
	s.write("taken", "users: [{name: somebody, user: {token: x}}]")
	s.check(s.run("new-user", "wasted", "--dir", "D", "--approve", "--out", "taken"), expect{1, []string{"already exists", "would be lost"}})
	if n := countRequestsOf(s, "wasted-"); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}
