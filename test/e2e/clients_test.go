package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// fresh is a holder whose kubeconfig logs in from a cache, with a certificate that has
// most of its life before it.
func fresh(t *testing.T, name string) *session {
	t.Helper()
	s := holder(t, shared, identity.User{Name: name, Groups: []string{"dev"}}, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	inCache(s)
	return s
}

// wants has the kubeconfig's exec entry name another API version.
func (s *session) wants(apiVersion string) {
	s.t.Helper()
	config := s.load("config")
	for _, user := range config.AuthInfos {
		user.Exec.APIVersion = apiVersion
	}
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		s.t.Fatal(err)
	}
}

func TestClients_KubectlLogsInFromTheCacheInBothVersions(t *testing.T) {
	s := fresh(t, "both-versions")
	for _, version := range []string{answer.V1, answer.V1beta1} {
		s.wants(version)
		// The first answer of each is made, the second is kept.
		if err := os.Remove(filepath.Join(s.cache(), answer.File)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for range 2 {
			if who := s.whoami(); who.Stdout != "both-versions" || who.Stderr != "" {
				t.Errorf("%s: exit code %d: %q\n%s", version, who.Code, who.Stdout, who.Stderr)
			}
		}
		if _, err := os.Stat(filepath.Join(s.cache(), answer.File)); err != nil {
			t.Error(err)
		}
	}
	// client-go refuses by itself what it does not know.
	s.wants("client.authentication.k8s.io/v1alpha1")
	if who := s.whoami(); who.Code == 0 {
		t.Errorf("the user logs in as %q", who.Stdout)
	}
}

// TestClients_ClientGoLogsInFromTheCache is a program in Go, with the kubeconfig as it is.
func TestClients_ClientGoLogsInFromTheCache(t *testing.T) {
	s := fresh(t, "in-process")
	t.Setenv("PATH", filepath.Dir(binary))
	config, err := clientcmd.BuildConfigFromFlags("", s.path("config"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		review, err := client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if who := review.Status.UserInfo.Username; who != "in-process" {
			t.Errorf("the user is %q", who)
		}
	}
}

// TestClients_PluginsAreAllowedByName is for people whose kuberc names the credential plugins
// that may run.
func TestClients_PluginsAreAllowedByName(t *testing.T) {
	if release := os.Getenv(controlplane.ReleaseVariable); release != "" {
		t.Skipf("kubectl %s has no list of allowed plugins", release)
	}
	s := fresh(t, "by-kuberc")
	for _, test := range []struct {
		allowed string
		passes  bool
	}{{program.Name, true}, {"another-plugin", false}} {
		s.write("kuberc", `apiVersion: kubectl.config.k8s.io/v1beta1
kind: Preference
credentialPluginPolicy: Allowlist
credentialPluginAllowlist:
- command: `+test.allowed+"\n")
		who := s.kubectl("--kuberc", s.path("kuberc"), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
		if passes := who.Code == 0; passes != test.passes || passes && who.Stdout != "by-kuberc" {
			t.Errorf("%s: exit code %d: %q\n%s", test.allowed, who.Code, who.Stdout, who.Stderr)
		}
	}
}

// TestClients_JavaScriptLogsInFromTheCache is a program in JavaScript, with the kubeconfig as
// it is.
func TestClients_JavaScriptLogsInFromTheCache(t *testing.T) {
	node, npm := javaScript(t)
	s := fresh(t, "in-javascript")
	directory := t.TempDir()
	if err := os.CopyFS(directory, os.DirFS(filepath.Join("..", "javascript"))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = directory
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, output)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := s.env.Command(ctx, node, "whoami.mjs")
	command.Dir = directory
	result := program.Run(t, command)
	if result.Stdout != strings.Repeat("in-javascript\n", 2) {
		t.Errorf("exit code %d: %q\n%s", result.Code, result.Stdout, result.Stderr)
	}
}

// javaScript finds node and npm. Where everything has to be tested, they have to be
// there.
func javaScript(t *testing.T) (node, npm string) {
	t.Helper()
	var err error
	if node, err = exec.LookPath("node"); err == nil {
		npm, err = exec.LookPath("npm")
	}
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("the JavaScript client is not tested: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return node, npm
}
