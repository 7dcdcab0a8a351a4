package kubeconfig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

var (
	endpoint = Endpoint{
		Cluster: "prod", Server: "https://10.0.0.1:6443", CertificateAuthority: []byte("CA"),
		ServerName: "kubernetes", ProxyURL: "http://proxy:3128", DisableCompression: true,
	}
	credentials = Credentials{Certificate: []byte("CERT"), Key: []byte("KEY")}
)

func TestAssemble_AssembleMakesAFileThatNeedsNoOther(t *testing.T) {
	encoded, err := Encode(Assemble(endpoint, credentials, NamesFor("jane@example.com", "prod", ""), "team"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    disable-compression: true
    proxy-url: http://proxy:3128
    server: https://10.0.0.1:6443
    tls-server-name: kubernetes
  name: prod
contexts:
- context:
    cluster: prod
    namespace: team
    user: jane@example.com@prod
  name: jane@example.com@prod
current-context: jane@example.com@prod
kind: Config
users:
- name: jane@example.com@prod
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
`
	if diff := cmp.Diff(want, string(encoded)); diff != "" {
		t.Errorf("kubeconfig (-want +got):\n%s", diff)
	}
	decoded, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if decoded.CurrentContext != "jane@example.com@prod" {
		t.Errorf("the current context is %q after a load", decoded.CurrentContext)
	}
}

func TestAssemble_IsOnlyFindsWhatWouldBeLost(t *testing.T) {
	wanted := Assemble(endpoint, credentials, NamesFor("jane", "prod", ""), "")
	for _, test := range []struct {
		about      string
		mutate     func(*clientcmdapi.Config)
		kind, name string
		only       bool
	}{
		{"an older one of the user's", func(*clientcmdapi.Config) {}, "", "", true},
		{"another cluster", func(c *clientcmdapi.Config) { c.Clusters["test"] = clientcmdapi.NewCluster() }, "cluster", "test", false},
		{"another user", func(c *clientcmdapi.Config) { c.AuthInfos["bob"] = clientcmdapi.NewAuthInfo() }, "user", "bob", false},
		{"the same cluster at another address", func(c *clientcmdapi.Config) { c.Clusters["prod"].Server = "https://other" }, "", "", true},
		{"another cluster of the same name", func(c *clientcmdapi.Config) { c.Clusters["prod"].CertificateAuthorityData = []byte("other") }, "cluster", "prod", false},
		{"a token in the user's own entry", func(c *clientcmdapi.Config) { c.AuthInfos["jane@prod"].Token = "t" }, "user", "jane@prod", false},
		{"another context", func(c *clientcmdapi.Config) { c.Contexts["x"] = clientcmdapi.NewContext() }, "context", "x", false},
	} {
		existing := wanted.DeepCopy()
		test.mutate(existing)
		if kind, name, only := IsOnly(existing, wanted); kind != test.kind || name != test.name || only != test.only {
			t.Errorf("%s: %q, %q, %v", test.about, kind, name, only)
		}
	}
}
