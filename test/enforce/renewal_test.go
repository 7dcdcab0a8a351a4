package enforce

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// due makes a kubeconfig whose certificate is in the last third of its life, and leads to a
// server.
func (c *cluster) due(t *testing.T, user string, lead func(*clientcmdapi.Cluster)) string {
	t.Helper()
	certificate, err := pki.ParseCertificate([]byte(read(t, c.plane.CertificateAuthority)))
	if err != nil {
		t.Fatal(err)
	}
	authorityKey, err := pki.ParseKey([]byte(read(t, strings.TrimSuffix(c.plane.CertificateAuthority, ".crt")+".key")))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(c.plane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	present := config.Contexts[config.CurrentContext]
	lead(config.Clusters[present.Cluster])
	signer := hostile.Signer{Certificate: certificate.Leaf, Key: authorityKey}
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{user: {
		ClientCertificateData: signer.Sign(t, identity.User{Name: user, Groups: []string{"dev"}}, key.Public(), time.Now().Add(-20*time.Hour), time.Now().Add(4*time.Hour)),
		ClientKeyData:         encoded,
	}}
	config.Contexts = map[string]*clientcmdapi.Context{user: {Cluster: present.Cluster, AuthInfo: user}}
	config.CurrentContext = user
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRenewal_ThePluginOfARevokedUserIsQuiet counts what a revoked user's credential plugin, whose
// certificate is due to be renewed, sends to the API server.
func TestRenewal_ThePluginOfARevokedUserIsQuiet(t *testing.T) {
	front := hostile.NewFront(t, shared.plane, time.Now)
	var calls, requests atomic.Int64
	front.Follow(&hostile.Rule{When: func(call *http.Request) bool {
		if !strings.HasPrefix(call.UserAgent(), "kubectl/") {
			calls.Add(1)
			if call.Method == http.MethodPost && strings.HasSuffix(call.URL.Path, "/certificatesigningrequests") {
				requests.Add(1)
			}
		}
		return false
	}})
	kubeconfig := shared.due(t, "sven", front.Lead)
	shared.must(t, "grant", "sven", "--renewable")
	home := t.TempDir()
	env := program.Environment{Path: []string{filepath.Dir(plugin), shared.plane.Directory}, Home: home, Kubeconfig: kubeconfig, Directory: home}
	if moved := program.Run(t, env.Command(t.Context(), program.Name, "renew", "--exec", "--within", "1s")); moved.Code != 0 {
		t.Fatalf("%s%s", moved.Stdout, moved.Stderr)
	}
	kubectl := shared.plane.Binary(controlplane.Kubectl)
	shared.must(t, "revoke", "sven", "--reason", "left")
	calls.Store(0)
	told := 0
	const runs = 25
	for range runs {
		command := exec.CommandContext(t.Context(), kubectl, "get", "configmaps")
		command.Env = env.Command(t.Context(), program.Name).Env
		result := program.Run(t, command)
		if result.Code == 0 || !strings.Contains(result.Stderr, access.RevokedMessage) {
			t.Errorf("exit code %d: %s", result.Code, result.Stderr)
		}
		if strings.Contains(result.Stderr, `the certificate of "sven"`) {
			told++
			if !strings.Contains(result.Stderr, "and is not renewed: forbidden: you cannot ask the server who this is: "+access.RevokedMessage+"\n") || !strings.Contains(result.Stderr, "ask an administrator") {
				t.Errorf("it is not clear: %s", result.Stderr)
			}
		}
		until(t, "no renewal runs", func() bool { return len(program.Processes(program.Name, home)) == 0 })
	}
	t.Logf("%d runs of kubectl: %d calls of the plugin, %d requests, told %d times", runs, calls.Load(), requests.Load(), told)
	if told != 1 || requests.Load() > 0 || calls.Load() != 1 {
		records, _ := filepath.Glob(filepath.Join(home, ".kube", "csr-onboard", "*", "*", "renewal.json"))
		for _, path := range records {
			record, err := os.ReadFile(path)
			t.Logf("%s, %v", record, err)
		}
		t.Errorf("it is not quiet, by %d records", len(records))
	}
}

func TestRenewal_APinnedUserRenewsAsUsual(t *testing.T) {
	stolen := shared.user(t, "rita", "dev")
	shared.must(t, "revoke", "rita")
	path := filepath.Join(t.TempDir(), "rita.kubeconfig")
	shared.must(t, "new-user", "rita", "-g", "dev", "--approve", "--pin", "--out", path)
	shared.must(t, "grant", "rita", "--renewable")
	// A renewal that waits is found again in the home directory.
	home := t.TempDir()
	env := program.Environment{Path: []string{filepath.Dir(plugin)}, Home: home, Kubeconfig: path, Directory: home}
	renew := func(arguments ...string) program.Result {
		return program.Run(t, env.Command(t.Context(), program.Name, append([]string{"renew"}, arguments...)...))
	}
	for range 2 {
		before := credentialID(t, path)
		expect(t, renew("--wait=false"), 0, "pending")
		pending, err := shared.admin(t).CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range pending.Items {
			if object.Spec.Username == "rita" && len(object.Status.Conditions) == 0 {
				shared.must(t, "approve", object.Name, "--yes")
			}
		}
		expect(t, renew("--timeout", "10s"), 0, "renewed")
		if credentialID(t, path) == before {
			t.Fatal("the certificate is the same")
		}
		shared.untilRefused(t, path, false)
		for _, n := range shared.nodes {
			if !isRefusedAt(t, stolen, n.server) {
				t.Errorf("%s accepts the stolen certificate", n.name)
			}
		}
	}
	// Another certificate of the name needs a person who wants it.
	expect(t, shared.run(t, shared.plane.Kubeconfig, "new-user", "rita", "-g", "dev", "--approve", "--dir", t.TempDir()), 6, "user-blocked", "--approve --pin")
}
