package kubeconfig

import (
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
	handoff, err := DecodeHandoff(encoded)
	if err != nil {
		t.Fatal(err)
	}
	want := &Handoff{Endpoint: handoffEndpoint, Certificate: []byte("certificate"), Namespace: "team"}
	if diff := cmp.Diff(want, handoff); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
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
	f.Fuzz(func(t *testing.T, data []byte) {
		handoff, err := DecodeHandoff(data)
		if err != nil {
			return
		}
		if !IsServerAddress(handoff.Endpoint.Server) || len(handoff.Certificate) == 0 {
			t.Errorf("it was taken: %+v", handoff)
		}
	})
}
