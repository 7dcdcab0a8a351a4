package kubeconfig

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// changed is a kubeconfig of jane's, changed in one way, as a file.
func changed(t *testing.T, change func(*clientcmdapi.Config, *clientcmdapi.Context, *clientcmdapi.Cluster, *clientcmdapi.AuthInfo)) []byte {
	t.Helper()
	config := Assemble(handoffEndpoint, Credentials{Certificate: []byte("certificate"), Key: []byte("key")}, NamesFor("jane", "prod", ""), "team")
	context := config.Contexts[config.CurrentContext]
	change(config, context, config.Clusters[context.Cluster], config.AuthInfos[context.AuthInfo])
	encoded, err := Encode(config)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestRefusals_AHandoffSaysWhyItIsRefused(t *testing.T) {
	for about, test := range map[string]struct {
		change func(*clientcmdapi.Config, *clientcmdapi.Context, *clientcmdapi.Cluster, *clientcmdapi.AuthInfo)
		want   string
	}{
		"a key": {func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData = []byte("key")
		}, "private key"},
		"the file of a key": {func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData, u.ClientKey = nil, "/k"
		}, "private key"},
		"no certificate": {func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData, u.ClientCertificateData = nil, nil
		}, "no certificate"},
		"a token": {func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData, u.Token = nil, "t"
		}, "another way to log in"},
		"two contexts": {func(c *clientcmdapi.Config, k *clientcmdapi.Context, _ *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			c.Contexts["other"] = k
		}, "1 clusters, 1 users and 2 contexts"},
		"two users": {func(c *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			c.AuthInfos["other"] = u
		}, "1 clusters, 2 users and 1 contexts"},
		"two clusters": {func(c *clientcmdapi.Config, _ *clientcmdapi.Context, k *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			c.Clusters["other"] = k
		}, "2 clusters, 1 users and 1 contexts"},
		"a current context that is not there": {func(c *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			c.CurrentContext = "other"
		}, "no current context"},
		"a context of a cluster that is not there": {func(_ *clientcmdapi.Config, k *clientcmdapi.Context, _ *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			k.Cluster = "other"
		}, "names a cluster or a user that is not in it"},
		"a context of a user that is not there": {func(_ *clientcmdapi.Config, k *clientcmdapi.Context, _ *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			k.AuthInfo = "other"
		}, "names a cluster or a user that is not in it"},
		"a namespace with a slash": {func(_ *clientcmdapi.Config, k *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData, k.Namespace = nil, "a/b"
		}, "invalid namespace"},
		"a proxy with a password": {func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, k *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData, k.ProxyURL = nil, "http://jane:secret@proxy"
		}, "invalid proxy-url"},
		"a proxy of no known kind": {func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, k *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData, k.ProxyURL = nil, "ftp://proxy"
		}, "invalid proxy-url"},
		"the file of an authority": {func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, k *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData, k.CertificateAuthority = nil, "/ca"
		}, "more than an address and a certificate authority"},
		"a server with a query": {func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, k *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData, k.Server = nil, "https://h?a=b"
		}, "invalid server"},
	} {
		t.Run(about, func(t *testing.T) {
			handoff, err := DecodeHandoff(changed(t, test.change))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, %v, want an error with %q", handoff, err, test.want)
			}
		})
	}
}

func TestRefusals_AHandoffWithoutANamespaceIsTaken(t *testing.T) {
	for _, namespace := range []string{"", "t"} {
		encoded, err := EncodeHandoff(Assemble(Endpoint{Cluster: "prod", Server: "https://h"}, Credentials{Certificate: []byte("c")}, NamesFor("jane", "prod", ""), namespace))
		if err != nil {
			t.Fatal(err)
		}
		handoffs, err := DecodeHandoff(encoded)
		if err != nil || len(handoffs) != 1 {
			t.Fatalf("%+v, %v", handoffs, err)
		}
		handoff := handoffs[0]
		if handoff.Namespace != namespace || handoff.Endpoint.InsecureSkipVerify || handoff.Endpoint.ProxyURL != "" {
			t.Errorf("%+v, %v", handoff, err)
		}
	}
}

func TestRefusals_AClusterWithoutANameIsRefused(t *testing.T) {
	data := `{"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": [{"name": "", "cluster": {"server": "https://h"}}],
		"users": [{"name": "u", "user": {"client-certificate-data": "YQ=="}}],
		"contexts": [{"name": "c", "context": {"cluster": "", "user": "u"}}]}`
	if handoff, err := DecodeHandoff([]byte(data)); err == nil || !strings.Contains(err.Error(), "its cluster is called") {
		t.Errorf("%v, %v", handoff, err)
	}
}

func TestRefusals_AKubeconfigOfItsOwnIsReadAsItWasWritten(t *testing.T) {
	data := changed(t, func(*clientcmdapi.Config, *clientcmdapi.Context, *clientcmdapi.Cluster, *clientcmdapi.AuthInfo) {})
	endpoint, entry, credentials, err := DecodeOwn(data)
	if err != nil || entry != "jane@prod" || string(credentials.Certificate) != "certificate" || string(credentials.Key) != "key" {
		t.Errorf("the user %q with %q, %v", entry, credentials, err)
	}
	if diff := cmp.Diff(handoffEndpoint, endpoint); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRefusals_AKubeconfigOfItsOwnHasACertificateItsKeyAndNothingElse(t *testing.T) {
	for about, change := range map[string]func(*clientcmdapi.Config, *clientcmdapi.Context, *clientcmdapi.Cluster, *clientcmdapi.AuthInfo){
		"no key": func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientKeyData = nil
		},
		"no certificate": func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientCertificateData = nil
		},
		"a token too": func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.Token = "t"
		},
		"two users": func(c *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			c.AuthInfos["other"] = u
		},
		"a server without TLS": func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, k *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			k.Server = "http://h"
		},
	} {
		if _, _, _, err := DecodeOwn(changed(t, change)); err == nil {
			t.Errorf("%s: it was taken", about)
		}
	}
}

func TestRefusals_TheCertificateOfAKubeconfigIsThatOfItsCurrentContext(t *testing.T) {
	for about, test := range map[string]struct {
		data []byte
		want string
	}{
		"not a kubeconfig": {[]byte("-----BEGIN"), "neither PEM nor a kubeconfig"},
		"no current context": {changed(t, func(c *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			c.CurrentContext = "other"
		}), "no current context"},
		"a user that is not there": {changed(t, func(_ *clientcmdapi.Config, k *clientcmdapi.Context, _ *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
			k.AuthInfo = "other"
		}), "no certificate in it"},
		"a certificate in a file": {changed(t, func(_ *clientcmdapi.Config, _ *clientcmdapi.Context, _ *clientcmdapi.Cluster, u *clientcmdapi.AuthInfo) {
			u.ClientCertificateData, u.ClientCertificate = nil, "/c"
		}), "no certificate in it"},
	} {
		if certificate, err := CertificateIn(test.data); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q, %v, want an error with %q", about, certificate, err, test.want)
		}
	}
}

func TestRefusals_OnlyAWholePairIsAPair(t *testing.T) {
	c, k := []byte("c"), []byte("k")
	for _, test := range []struct {
		about string
		user  clientcmdapi.AuthInfo
		want  Pair
		has   bool
	}{
		{"data", clientcmdapi.AuthInfo{ClientCertificateData: c, ClientKeyData: k}, Pair{Certificate: c, Key: k}, true},
		{"files", clientcmdapi.AuthInfo{ClientCertificate: "c", ClientKey: "k"}, Pair{CertificateFile: "c", KeyFile: "k"}, true},
		{"data, and files that do not count", clientcmdapi.AuthInfo{ClientCertificateData: c, ClientKeyData: k, ClientCertificate: "c", ClientKey: "k"}, Pair{Certificate: c, Key: k}, true},
		{"data and a file", clientcmdapi.AuthInfo{ClientCertificateData: c, ClientKey: "k"}, Pair{Certificate: c, KeyFile: "k"}, true},
		{"a file and data", clientcmdapi.AuthInfo{ClientCertificate: "c", ClientKeyData: k}, Pair{CertificateFile: "c", Key: k}, true},
		{"a certificate alone", clientcmdapi.AuthInfo{ClientCertificateData: c}, Pair{Certificate: c}, false},
		{"a key alone", clientcmdapi.AuthInfo{ClientKeyData: k}, Pair{Key: k}, false},
		{"the file of a key alone", clientcmdapi.AuthInfo{ClientKey: "k"}, Pair{KeyFile: "k"}, false},
		{"nothing", clientcmdapi.AuthInfo{}, Pair{}, false},
	} {
		pair, has := PairOf(&test.user)
		if diff := cmp.Diff(test.want, pair); diff != "" || has != test.has {
			t.Errorf("%s: %v (-want +got):\n%s", test.about, has, diff)
		}
	}
	for pair, want := range map[*Pair]bool{
		{Certificate: c, Key: k}: true, {Certificate: c, KeyFile: "k"}: true, {CertificateFile: "c", Key: k}: true, {CertificateFile: "c", KeyFile: "k"}: false,
	} {
		if pair.IsIn() != want {
			t.Errorf("%v is in the kubeconfig: %v", pair, !want)
		}
	}
}

func TestRefusals_APairIsReplacedOnlyIfAllOfItIsTheOldOne(t *testing.T) {
	from := Pair{Certificate: []byte("c"), Key: []byte("k")}
	for about, user := range map[string]clientcmdapi.AuthInfo{
		"another key":          {ClientCertificateData: []byte("c"), ClientKeyData: []byte("other")},
		"a certificate's file": {ClientCertificate: "c", ClientKeyData: []byte("k")},
		"a key's file":         {ClientCertificateData: []byte("c"), ClientKey: "k"},
		"no key":               {ClientCertificateData: []byte("c")},
	} {
		config := clientcmdapi.NewConfig()
		config.AuthInfos["jane"] = &user
		if _, err := Rotate(config, "jane", from, Pair{Certificate: []byte("new"), Key: []byte("new")}); !errors.Is(err, outcome.ErrChanged) {
			t.Errorf("%s: %v", about, err)
		}
	}
	inFiles := clientcmdapi.NewConfig()
	inFiles.AuthInfos["jane"] = &clientcmdapi.AuthInfo{ClientCertificate: "c", ClientKey: "k"}
	for _, other := range []Pair{{CertificateFile: "c", KeyFile: "l"}, {CertificateFile: "d", KeyFile: "k"}} {
		if _, err := Rotate(inFiles, "jane", other, from); !errors.Is(err, outcome.ErrChanged) {
			t.Errorf("from %v: %v", other, err)
		}
	}
	used, err := UseExec(inFiles, "jane", Pair{CertificateFile: "c", KeyFile: "k"}, "/opt/"+Plugin, "/cache")
	if err != nil {
		t.Fatal(err)
	}
	want := clientcmdapi.AuthInfo{Exec: ExecUser("/opt/"+Plugin, "/cache").Exec}
	if diff := cmp.Diff(&want, used.AuthInfos["jane"]); diff != "" {
		t.Errorf("the entry (-want +got):\n%s", diff)
	}
}

// Kubeconfigs that exist have this entry, and other tools show it.
func TestRefusals_TheEntryOfTheCredentialPluginNeverChanges(t *testing.T) {
	config := clientcmdapi.NewConfig()
	config.AuthInfos["jane"] = ExecUser("/opt/kubectl-csr_onboard", "/cache")
	encoded, err := Encode(config)
	if err != nil {
		t.Fatal(err)
	}
	_, users, _ := strings.Cut(string(encoded), "users:\n")
	const want = `- name: jane
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args:
      - credential
      - --cache
      - /cache
      command: /opt/kubectl-csr_onboard
      env: null
      installHint: `
	if !strings.HasPrefix(users, want) || !strings.HasSuffix(users, "\n      interactiveMode: Never\n      provideClusterInfo: false\n") {
		t.Errorf("it is:\n%s", users)
	}
	for command, want := range map[string]string{
		"kubectl-csr_onboard": "/cache", "/kubectl-csr_onboard": "/cache", `\kubectl-csr_onboard.exe`: "/cache", "a/kubectl-csr_onboard/b": "", "xkubectl-csr_onboard": "",
	} {
		if got := CacheOf(ExecUser(command, "/cache")); got != want {
			t.Errorf("%q has the cache %q, want %q", command, got, want)
		}
	}
}

func TestRefusals_ACredentialIsTheBodyOfAnAnswer(t *testing.T) {
	body, err := EncodeExecCredential(Credentials{Certificate: []byte("c"), Key: []byte("k")}, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Status struct{ ExpirationTimestamp, ClientCertificateData, ClientKeyData string }
	}
	if err := json.Unmarshal(append([]byte("{"), body...), &got); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	if got.Status.ExpirationTimestamp != "2026-01-02T03:04:05Z" || got.Status.ClientCertificateData != "c" || got.Status.ClientKeyData != "k" {
		t.Errorf("it is %+v", got)
	}
}

func TestRefusals_AMergeIntoOneOfSeveralFilesMindsTheOthers(t *testing.T) {
	visible := decode(t, rich)
	merged, err := Merge(clientcmdapi.NewConfig(), visible, janes(t), false)
	if err != nil || merged.CurrentContext != "" {
		t.Errorf("with contexts in another file: the current context is %q, %v", merged.CurrentContext, err)
	}
	visible = janes(t)
	delete(visible.AuthInfos, "jane@prod")
	delete(visible.Contexts, "jane@prod")
	merged, err = Merge(clientcmdapi.NewConfig(), visible, janes(t), false)
	if err != nil || len(merged.Clusters) != 0 || merged.CurrentContext != "jane@prod" {
		t.Errorf("with the cluster in another file: it has %d clusters, and the current context %q, %v", len(merged.Clusters), merged.CurrentContext, err)
	}
}

func TestRefusals_ASecondMergeTakesTheNamespaceThatIsNamed(t *testing.T) {
	existing := janes(t)
	existing.Contexts["jane@prod"].Namespace = "old"
	for namespace, want := range map[string]string{"": "old", "new": "new"} {
		addition := janes(t)
		addition.Contexts["jane@prod"].Namespace = namespace
		merged, err := Merge(existing, existing, addition, false)
		if err != nil || merged.Contexts["jane@prod"].Namespace != want {
			t.Errorf("with %q it is %q, %v", namespace, merged.Contexts["jane@prod"].Namespace, err)
		}
	}
}

func TestRefusals_WithoutAuthoritiesTheAddressTellsClustersApart(t *testing.T) {
	ca := []byte("ca")
	for _, test := range []struct {
		about string
		a, b  clientcmdapi.Cluster
		want  bool
	}{
		{"no authority, one address", clientcmdapi.Cluster{Server: "https://a"}, clientcmdapi.Cluster{Server: "https://a"}, true},
		{"no authority, two addresses", clientcmdapi.Cluster{Server: "https://a"}, clientcmdapi.Cluster{Server: "https://b"}, false},
		{"one authority, two addresses", clientcmdapi.Cluster{Server: "https://a", CertificateAuthorityData: ca}, clientcmdapi.Cluster{Server: "https://b", CertificateAuthorityData: ca}, true},
		{"an authority on one side", clientcmdapi.Cluster{Server: "https://a", CertificateAuthorityData: ca}, clientcmdapi.Cluster{Server: "https://a"}, false},
		{"an authority on the other side", clientcmdapi.Cluster{Server: "https://a"}, clientcmdapi.Cluster{Server: "https://a", CertificateAuthorityData: ca}, false},
	} {
		if got := sameAuthority(&test.a, &test.b); got != test.want {
			t.Errorf("%s: %v", test.about, got)
		}
	}
}

func TestRefusals_AMergeOfACacheChangesNothingThatWasGiven(t *testing.T) {
	addition, user := janes(t), ExecUser(Plugin, "/cache")
	existing := clientcmdapi.NewConfig()
	existing.AuthInfos["jane@prod"] = ExecUser(Plugin, "/cache")
	before := existing.DeepCopy()
	if _, err := MergeExec(existing, existing, addition, user, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, existing); diff != "" {
		t.Errorf("what was given was changed:\n%s", diff)
	}
}

func TestRefusals_AnAddressIsShownWithoutItsSecretsOrNotAtAll(t *testing.T) {
	for text, want := range map[string]string{ //nolint:gosec // Addresses with no secret of anybody's.
		"https://h:6443":         "https://h:6443",
		"https://jane:secret@h":  "https://h",
		"socks5://h?a=secret":    "socks5://h",
		"jane:secret@h:6443":     "(invalid URL)",
		"https://h?":             "https://h",
		"https://jane:12/sec@h":  "(invalid URL)",
		"https://h/a%zz?secret=": "(invalid URL)",
	} {
		if got := ShownAddress(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	for _, server := range []string{"http://h", "", "ftp://h:1/%zz"} {
		if NormalServer(server) != server {
			t.Errorf("%q becomes %q", server, NormalServer(server))
		}
	}
	if IsHTTPS("https:/") || !IsHTTPS("https://") {
		t.Error("the scheme alone is not told apart")
	}
	if SameServer("https://%zz", "https://%yy") || !SameServer("https://%zz", "https://%zz") {
		t.Error("URLs that cannot be parsed are compared by another thing than their text")
	}
}

func TestRefusals_MistakesAreFoundBehindAliasesAndInEveryForm(t *testing.T) {
	const config = "apiVersion: v1\nkind: Config\n"
	for about, test := range map[string]struct{ data, want string }{
		"an entry that is no mapping": {config + "users:\n- secret\n", "line 4: users[0]: must be a mapping"},
		"a name that is no text":      {config + "users:\n- name: [secret]\n", "line 4: users[0]: name must be a string"},
		"a list in place of base64":   {config + "users:\n- name: jane\n  user: {client-key-data: [secret]}\n", `line 5: users "jane": client-key-data must be base64`},
		"text in place of a list":     {config + "users:\n- name: jane\n  user: {as-groups: secret}\n", `line 5: users "jane": as-groups must be a list`},
		"text in place of a mapping":  {config + "users:\n- name: jane\n  user: {exec: secret}\n", `line 5: users "jane": exec must be a mapping`},
		"a list for a truth value":    {config + "clusters:\n- name: c\n  cluster: {disable-compression: [secret]}\n", `line 5: clusters "c": disable-compression must be true or false`},
		"the second field":            {config + "users:\n- name: jane\n  user: {username: a, token: [secret]}\n", `line 5: users "jane": token must be a string`},
		"an alias":                    {config + "users:\n- name: jane\n  user: &u {token: [secret]}\n", `line 5: users "jane": token must be a string`},
		"an alias of a user":          {"x: &u {token: [secret]}\n" + config + "users:\n- name: jane\n  user: *u\n", `users "jane": token must be a string`},
		"contexts":                    {config + "users: null\nclusters:\ncontexts:\n- name: c\n  context: {namespace: [secret]}\n", `line 7: contexts "c": namespace must be a string`},
		"a name of 100 characters":    {config + "users:\n- name: " + strings.Repeat("n", 100) + "\n  user: {token: []}\n", `users "` + strings.Repeat("n", 100) + `": token must be a string`},
		"a name of 101 characters":    {config + "users:\n- name: " + strings.Repeat("n", 101) + "\n  user: {token: []}\n", "users[0]: token must be a string"},
		"a name with an escape":       {config + "users:\n- name: \"a\\e[2J\"\n  user: {token: []}\n", "users[0]: token must be a string"},
		"fields that may be empty":    {config + "users:\n- name: jane\n  user: {token: null, as-groups: null, username: [secret]}\n", `line 5: users "jane": username must be a string`},
	} {
		t.Run(about, func(t *testing.T) {
			_, err := Decode([]byte(test.data))
			if err == nil || !strings.HasSuffix(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestRefusals_AnEmptyFileIsAnEmptyKubeconfig(t *testing.T) {
	for _, data := range []string{"", " \n\t\n"} {
		config, err := Decode([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(clientcmdapi.NewConfig(), config); diff != "" {
			t.Errorf("%q (-want +got):\n%s", data, diff)
		}
	}
}

func TestRefusals_AssembleWritesEveryPartOfAnEndpoint(t *testing.T) {
	endpoint := handoffEndpoint
	endpoint.InsecureSkipVerify, endpoint.CertificateAuthority = true, nil
	config := Assemble(endpoint, Credentials{}, NamesFor("jane", "prod", "own"), "team")
	want := &clientcmdapi.Cluster{
		Server: endpoint.Server, TLSServerName: "kubernetes", InsecureSkipTLSVerify: true, ProxyURL: "https://proxy.example.com", DisableCompression: true,
		Extensions: config.Clusters["prod"].Extensions,
	}
	if diff := cmp.Diff(want, config.Clusters["prod"]); diff != "" {
		t.Errorf("the cluster (-want +got):\n%s", diff)
	}
	if context := config.Contexts["own"]; !slices.Equal([]string{context.Cluster, context.AuthInfo, context.Namespace, config.CurrentContext}, []string{"prod", "own", "team", "own"}) {
		t.Errorf("the context is %+v, and the current one %q", context, config.CurrentContext)
	}
}
