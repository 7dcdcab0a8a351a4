package kubeconfig

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

var handoffEndpoint = Endpoint{
	Cluster: "prod", Server: "https://kubernetes.example.com:6443", CertificateAuthority: []byte("authority"),
	ServerName: "kubernetes", ProxyURL: "https://proxy.example.com", DisableCompression: true,
}

func handoffConfig() *clientcmdapi.Config {
	return Assemble(handoffEndpoint, Credentials{Certificate: []byte("certificate")}, NamesFor("jane", "prod", ""), "team")
}

func TestHandoff_AHandoffIsReadAsItWasWritten(t *testing.T) {
	encoded, err := EncodeHandoff(handoffConfig(), "For jane\nkind: Evil", "\x1b[2J", "  kubectl run  it")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(encoded), `# For jane\nkind: Evil`+"\n"+`# \x1b[2J`+"\n#   kubectl run \\x20it\napiVersion: v1\n") {
		t.Errorf("the comment is not safe:\n%s", encoded)
	}
	handoffs, err := DecodeHandoff(encoded)
	if err != nil {
		t.Fatal(err)
	}
	want := []Handoff{{Endpoint: handoffEndpoint, Certificate: []byte("certificate"), Namespace: "team"}}
	if diff := cmp.Diff(want, handoffs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// severalConfig is a handoff for two clusters, prod and dev.
func severalConfig() *clientcmdapi.Config {
	config := handoffConfig()
	other := Assemble(Endpoint{Cluster: "dev", Server: "https://dev.example.com"}, Credentials{Certificate: []byte("other certificate")}, NamesFor("jane", "dev", ""), "")
	maps.Copy(config.Clusters, other.Clusters)
	maps.Copy(config.AuthInfos, other.AuthInfos)
	maps.Copy(config.Contexts, other.Contexts)
	return config
}

func TestHandoff_OneForSeveralClustersIsReadInTheOrderOfItsContexts(t *testing.T) {
	encoded, err := EncodeHandoff(severalConfig())
	if err != nil {
		t.Fatal(err)
	}
	handoffs, err := DecodeHandoff(encoded)
	if err != nil {
		t.Fatal(err)
	}
	want := []Handoff{
		{Endpoint: Endpoint{Cluster: "dev", Server: "https://dev.example.com"}, Certificate: []byte("other certificate")},
		{Endpoint: handoffEndpoint, Certificate: []byte("certificate"), Namespace: "team"},
	}
	if diff := cmp.Diff(want, handoffs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, _, _, err := DecodeOwn(encoded); err == nil || !strings.Contains(err.Error(), "2 clusters, 2 users and 2 contexts") {
		t.Errorf("a kubeconfig of one cluster has two: %v", err)
	}
}

// TestHandoff_EachClusterHasACertificateOfItsOwn is for contexts that share what a person confirms
// for one of them, and for what is dangerous in the second of them.
func TestHandoff_EachClusterHasACertificateOfItsOwn(t *testing.T) {
	for about, test := range map[string]struct {
		change func(*clientcmdapi.Config)
		want   string
	}{
		"a shared cluster": {func(c *clientcmdapi.Config) {
			c.Contexts["jane@prod"].Cluster = "dev"
		}, `contexts "jane@dev" and "jane@prod" name the same cluster or user`},
		"a shared user": {func(c *clientcmdapi.Config) {
			c.Contexts["jane@prod"].AuthInfo = c.Contexts["jane@dev"].AuthInfo
		}, `contexts "jane@dev" and "jane@prod" name the same cluster or user`},
		"a cluster without a context": {func(c *clientcmdapi.Config) { delete(c.Contexts, "jane@dev") }, "2 clusters, 2 users and 1 contexts"},
		"a context without a cluster": {func(c *clientcmdapi.Config) { delete(c.Clusters, "dev") }, "1 clusters, 2 users and 2 contexts"},
		"another cluster":             {func(c *clientcmdapi.Config) { c.Contexts["jane@dev"].Cluster = "other" }, "a cluster or a user that is not in it"},
		"a key": {func(c *clientcmdapi.Config) {
			c.AuthInfos[c.Contexts["jane@prod"].AuthInfo].ClientKeyData = []byte("k")
		}, `context "jane@prod": `},
		"plain HTTP":          {func(c *clientcmdapi.Config) { c.Clusters["dev"].Server = "http://dev.example.com" }, `context "jane@dev": `},
		"a current context":   {func(c *clientcmdapi.Config) { c.CurrentContext = "" }, "no current context"},
		"an unsafe namespace": {func(c *clientcmdapi.Config) { c.Contexts["jane@prod"].Namespace = "a b" }, `context "jane@prod": invalid namespace`},
		"an authority's file": {func(c *clientcmdapi.Config) { c.Clusters["dev"].CertificateAuthority = "/a" }, `context "jane@dev": `},
		"an unseen cluster name": {func(c *clientcmdapi.Config) {
			c.Clusters["a\u202e"] = c.Clusters["dev"]
			delete(c.Clusters, "dev")
			c.Contexts["jane@dev"].Cluster = "a\u202e"
		}, `context "jane@dev": `},
	} {
		t.Run(about, func(t *testing.T) {
			config := severalConfig()
			test.change(config)
			encoded, err := Encode(config)
			if err != nil {
				t.Fatal(err)
			}
			if handoffs, err := DecodeHandoff(encoded); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, %v, want %q", handoffs, err, test.want)
			}
		})
	}
}

func TestHandoff_AHandoffHoldsNothingElse(t *testing.T) {
	for about, change := range map[string]func(*clientcmdapi.Config, *clientcmdapi.Cluster, *clientcmdapi.AuthInfo){
		"no user":      func(c *clientcmdapi.Config, _ *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) { clear(c.AuthInfos) },
		"two clusters": func(c *clientcmdapi.Config, k *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) { c.Clusters["b"] = k },
		"no context":   func(c *clientcmdapi.Config, _ *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) { c.CurrentContext = "" },
		"a key": func(_ *clientcmdapi.Config, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData = []byte("k")
		},
		"a key's file":   func(_ *clientcmdapi.Config, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) { u.ClientKey = "/k" },
		"a token":        func(_ *clientcmdapi.Config, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) { u.Token = "t" },
		"a token's file": func(_ *clientcmdapi.Config, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) { u.TokenFile = "/t" },
		"a certificate's file": func(_ *clientcmdapi.Config, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientCertificateData, u.ClientCertificate = nil, "/c"
		},
		"a program": func(_ *clientcmdapi.Config, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.Exec = &clientcmdapi.ExecConfig{Command: "x", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: "Never"}
		},
		"somebody to be": func(_ *clientcmdapi.Config, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.Impersonate = "root"
		},
		"an authority's file": func(_ *clientcmdapi.Config, k *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			k.CertificateAuthority = "/a"
		},
		"plain HTTP": func(_ *clientcmdapi.Config, k *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) { k.Server = "http://x" },
		"a server with a password": func(_ *clientcmdapi.Config, k *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			k.Server = "https://a:b@x"
		},
		"an unseen cluster name": func(c *clientcmdapi.Config, k *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			clear(c.Clusters)
			c.Clusters["a\u202e"] = k
			c.Contexts[c.CurrentContext].Cluster = "a\u202e"
		},
	} {
		t.Run(about, func(t *testing.T) {
			config := handoffConfig()
			context := config.Contexts[config.CurrentContext]
			change(config, config.Clusters[context.Cluster], config.AuthInfos[context.AuthInfo])
			encoded, err := Encode(config)
			if err != nil {
				t.Fatal(err)
			}
			if handoff, err := DecodeHandoff(encoded); err == nil {
				t.Errorf("it was taken: %+v", handoff)
			}
		})
	}
}

// FuzzDecodeHandoff reads whatever is sent as a handoff: what it takes has a server
// that is reached over TLS, a certificate, and nothing that EncodeHandoff would not
// write.
func FuzzDecodeHandoff(f *testing.F) {
	encoded, err := EncodeHandoff(handoffConfig(), "For jane")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	if encoded, err = EncodeHandoff(severalConfig()); err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Fuzz(func(t *testing.T, data []byte) {
		handoffs, err := DecodeHandoff(data)
		if err != nil {
			return
		}
		if len(handoffs) == 0 {
			t.Error("nothing was taken, without an error")
		}
		clusters := map[string]bool{}
		for _, handoff := range handoffs {
			if !IsServerAddress(handoff.Endpoint.Server) || len(handoff.Certificate) == 0 || clusters[handoff.Endpoint.Cluster] {
				t.Errorf("it was taken: %+v", handoff)
			}
			clusters[handoff.Endpoint.Cluster] = true
		}
	})
}
