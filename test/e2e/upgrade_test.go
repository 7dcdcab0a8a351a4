package e2e

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// earlier is the directory of files that an earlier version wrote.
var earlier = filepath.Join("..", "fixture", "earlier")

// writeEarlier writes a file of an earlier version with the values of this plane.
func (s *session) writeEarlier(name, path string, values any) {
	s.t.Helper()
	text, err := template.New(name).Option("missingkey=error").ParseFiles(filepath.Join(earlier, name))
	if err != nil {
		s.t.Fatal(err)
	}
	var rendered bytes.Buffer
	if err := text.Execute(&rendered, values); err != nil {
		s.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, rendered.Bytes(), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func TestUpgrade_AnEarlierCredentialCacheLogsInAndRenews(t *testing.T) {
	const user = "upgraded-jane"
	s := ending(t, user)
	config := s.load("config")
	entry := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
	target := config.Clusters[config.Contexts[config.CurrentContext].Cluster]
	values := map[string]string{
		"Server": target.Server, "Authority": base64.StdEncoding.EncodeToString(target.CertificateAuthorityData),
		"Certificate": base64.StdEncoding.EncodeToString(entry.ClientCertificateData), "Key": base64.StdEncoding.EncodeToString(entry.ClientKeyData),
		"Cache": filepath.Join(s.env.Home, ".kube", "csr-onboard", user, "credential-u4whae2asd"),
	}
	s.writeEarlier("credential.kubeconfig", filepath.Join(values["Cache"], "kubeconfig"), values)
	s.writeEarlier("exec.kubeconfig", s.path("config"), values)

	if says := s.whoami(); says.Stdout != user {
		t.Fatalf("kubectl is logged in as %q\n%s", says.Stdout, says.Stderr)
	}
	if listed := s.must("status").Stdout; !strings.Contains(listed, user) {
		t.Errorf("status prints %q", listed)
	}
	approvesRequestsOf(t, s.client(), user)
	before := s.certificate("config").SHA256()
	s.until("the certificate is renewed", func() bool {
		return s.whoami().Stdout == user && !bytes.Equal(s.certificate("config").SHA256(), before)
	})
	s.until("no renewal runs", func() bool { return len(program.Processes(s.cache())) == 0 })
	if says := s.whoami(); says.Stdout != user {
		t.Errorf("after the renewal, kubectl is logged in as %q\n%s", says.Stdout, says.Stderr)
	}
}

func TestUpgrade_AnEarlierTeamDirectoryIsContinued(t *testing.T) {
	s := newSession(t, shared)
	if err := os.CopyFS(s.env.Directory, os.DirFS(earlier)); err != nil {
		t.Fatal(err)
	}
	keys := map[string][]byte{}
	for _, name := range []string{"upgraded-nina", "upgraded-olaf"} {
		// git keeps no modes but the execute bit.
		for _, extension := range []string{".key", ".csr"} {
			if err := os.Chmod(s.path("team", name+extension), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		keys[name] = s.read("team", name+".key")
	}
	if err := os.Chmod(s.path("team"), 0o700); err != nil { //nolint:gosec // A directory is entered.
		t.Fatal(err)
	}
	s.must("new-user", "--filename", "team.csv", "--dir", "team", "--approve")
	for name, key := range keys {
		if !bytes.Equal(s.read("team", name+".key"), key) {
			t.Errorf("the key of %s was replaced", name)
		}
		if _, err := clientcmd.LoadFromFile(s.path("team", name+".kubeconfig")); err != nil {
			t.Error(err)
		}
		s.env.Kubeconfig = s.path("team", name+".kubeconfig")
		if says := s.whoami(); says.Stdout != name {
			t.Errorf("kubectl is logged in as %q, want %q\n%s", says.Stdout, name, says.Stderr)
		}
	}
}
