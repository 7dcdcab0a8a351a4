package kubeconfig

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// certificateOf is a certificate of a user, signed by nobody of importance.
func certificateOf(t *testing.T, user string) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: user}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// rich is a kubeconfig with everything that a merge could lose.
const rich = `apiVersion: v1
clusters:
- cluster:
    certificate-authority: relative/ca.crt
    proxy-url: socks5://proxy:1080
    server: https://one.example.com
    tls-server-name: kubernetes
  name: one
- cluster:
    extensions:
    - extension:
        last-update: Mon, 02 Nov 2026 10:00:00 UTC
        provider: minikube.sigs.k8s.io
      name: cluster_info
    insecure-skip-tls-verify: true
    server: https://two.example.com
  name: two
contexts:
- context:
    cluster: one
    extensions:
    - extension:
        a: b
      name: e
    namespace: team
    user: admin
  name: admin@one
current-context: admin@one
extensions:
- extension:
    top: level
  name: t
kind: Config
preferences:
  colors: true
users:
- name: admin
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args:
      - get-token
      command: login-helper
      env:
      - name: REGION
        value: here
      installHint: install it
      interactiveMode: IfAvailable
      provideClusterInfo: false
- name: cloud
  user:
    auth-provider:
      config:
        client-id: x
      name: oidc
- name: file
  user:
    client-certificate: relative/client.crt
    client-key: relative/client.key
    password: secret
    username: u
`

func decode(t *testing.T, text string) *clientcmdapi.Config {
	t.Helper()
	config, err := Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func janes(t *testing.T) *clientcmdapi.Config {
	t.Helper()
	return Assemble(endpoint, Credentials{Certificate: certificateOf(t, "jane"), Key: []byte("KEY")}, NamesFor("jane", "prod", ""), "")
}

func TestMerge_MergeKeepsEverythingElse(t *testing.T) {
	existing := decode(t, rich)
	jane := janes(t)
	merged, err := Merge(existing, existing, jane, false)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := Encode(merged)
	if err != nil {
		t.Fatal(err)
	}
	again := decode(t, string(encoded))
	for _, name := range []string{"jane@prod"} {
		if again.AuthInfos[name] == nil || again.Contexts[name] == nil || again.Clusters["prod"] == nil {
			t.Errorf("%s was not added", name)
		}
		delete(again.AuthInfos, name)
		delete(again.Contexts, name)
		delete(again.Clusters, "prod")
	}
	if diff := cmp.Diff(decode(t, rich), again); diff != "" {
		t.Errorf("what was there changed:\n%s", diff)
	}
	if diff := cmp.Diff(decode(t, rich), existing); diff != "" {
		t.Errorf("the argument was changed:\n%s", diff)
	}
}

func TestMerge_MergeSwitchesOnlyWhenAsked(t *testing.T) {
	for _, test := range []struct {
		about      string
		existing   string
		setCurrent bool
		want       string
	}{
		{"not asked", rich, false, "admin@one"},
		{"asked", rich, true, "jane@prod"},
		{"into an empty file", "", false, "jane@prod"},
	} {
		existing := decode(t, test.existing)
		merged, err := Merge(existing, existing, janes(t), test.setCurrent)
		if err != nil {
			t.Fatal(err)
		}
		if merged.CurrentContext != test.want {
			t.Errorf("%s: the current context is %q, want %q", test.about, merged.CurrentContext, test.want)
		}
	}
}

func TestMerge_MergeRenewsHerOwnCertificate(t *testing.T) {
	existing := clientcmdapi.NewConfig()
	first, err := Merge(existing, existing, janes(t), false)
	if err != nil {
		t.Fatal(err)
	}
	first.Contexts["jane@prod"].Namespace = "chosen"
	renewed := janes(t)
	second, err := Merge(first, first, renewed, false)
	if err != nil {
		t.Fatal(err)
	}
	if string(second.AuthInfos["jane@prod"].ClientCertificateData) != string(renewed.AuthInfos["jane@prod"].ClientCertificateData) {
		t.Error("the certificate is the old one")
	}
	if second.Contexts["jane@prod"].Namespace != "chosen" {
		t.Error("the user's own choice of namespace was lost")
	}
}

func TestMerge_MergeNeverReplacesWhatMeansSomethingElse(t *testing.T) {
	for _, test := range []struct {
		about      string
		mutate     func(*clientcmdapi.Config)
		want, flag string
	}{
		{"a cluster with another server", func(c *clientcmdapi.Config) { c.Clusters["prod"].Server = "https://other" }, `cluster "prod", at "https://other"`, "--cluster-name"},
		{"a cluster with another authority", func(c *clientcmdapi.Config) { c.Clusters["prod"].CertificateAuthorityData = []byte("other") }, `cluster "prod"`, "--cluster-name"},
		{"another user's certificate", func(c *clientcmdapi.Config) {
			c.AuthInfos["jane@prod"].ClientCertificateData = certificateOf(t, "bob")
		}, `user "jane@prod"`, "--context-name"},
		{"a token", func(c *clientcmdapi.Config) { c.AuthInfos["jane@prod"] = &clientcmdapi.AuthInfo{Token: "t"} }, `user "jane@prod"`, "--context-name"},
		{"a token beside the user's certificate", func(c *clientcmdapi.Config) { c.AuthInfos["jane@prod"].Token = "t" }, `user "jane@prod"`, "--context-name"},
		{"a context of another cluster", func(c *clientcmdapi.Config) { c.Contexts["jane@prod"].Cluster = "other" }, `context "jane@prod"`, "--context-name"},
		{"a context of another user", func(c *clientcmdapi.Config) { c.Contexts["jane@prod"].AuthInfo = "other" }, `context "jane@prod"`, "--context-name"},
	} {
		existing := janes(t)
		test.mutate(existing)
		_, err := Merge(clientcmdapi.NewConfig(), existing, janes(t), true)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(outcome.Hint(err), test.flag) {
			t.Errorf("%s: %v, hint %q", test.about, err, outcome.Hint(err))
		}
	}
}

func TestMerge_AClusterThatIsThereKeepsItsSettings(t *testing.T) {
	existing := janes(t)
	existing.Clusters["prod"].CertificateAuthorityData = nil
	existing.Clusters["prod"].CertificateAuthority = "/etc/ca.crt"
	existing.Clusters["prod"].ProxyURL = "http://mine"
	merged, err := Merge(existing, existing, janes(t), false)
	if err != nil {
		t.Fatal(err)
	}
	if cluster := merged.Clusters["prod"]; cluster.ProxyURL != "http://mine" || cluster.CertificateAuthority != "/etc/ca.crt" {
		t.Errorf("the cluster is %v", cluster)
	}
}

func FuzzMergeLosesNothing(f *testing.F) {
	f.Add([]byte(rich))
	f.Add([]byte(""))
	f.Add([]byte("users: [{name: x}]\ncontexts: [{name: x, context: {cluster: prod}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		existing, err := Decode(data)
		if err != nil {
			return
		}
		addition := Assemble(endpoint, credentials, NamesFor("jane", "prod", ""), "")
		merged, err := Merge(existing, existing, addition, false)
		if err != nil {
			return
		}
		for name := range existing.Clusters {
			if merged.Clusters[name] == nil {
				t.Errorf("the cluster %q was lost", name)
			}
		}
		for name := range existing.AuthInfos {
			if merged.AuthInfos[name] == nil {
				t.Errorf("the user %q was lost", name)
			}
		}
		for name := range existing.Contexts {
			if merged.Contexts[name] == nil {
				t.Errorf("the context %q was lost", name)
			}
		}
		encoded, err := Encode(merged)
		if err != nil {
			return
		}
		if _, err := Decode(encoded); err != nil {
			t.Errorf("what was written cannot be read: %v", err)
		}
	})
}
