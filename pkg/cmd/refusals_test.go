package cmd

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
)

const pinGroup = "csr-onboard:pin:00000000000000000000000000000001"

// TestCommandLine_AMistakeIsNamedBeforeAnythingIsDone is about what is wrong in itself: whatever the
// cluster has, nothing is asked of it, and no file is written.
func TestCommandLine_AMistakeIsNamedBeforeAnythingIsDone(t *testing.T) {
	d := newThreeClusters(t)
	d.runs(t, 0, "new-user sam --offline --dir sam")
	for name, text := range map[string]string{"team.csv": "name\njane\n", "bare.crt": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "ca.crt": ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range threeNames {
		d.servers[name].Refuse("list", "certificatesigningrequests")
	}
	before, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"approve --yes --context dev":                                                                                  "no NAME is given, and no terminal is available",
		"approve jane --dry-run=client --clusterrole view --contexts dev":                                              "with --dry-run=client only prints reviews",
		"fetch sam --dir sam --from sam/sam.csr":                                                                       `where "CERTIFICATE" is expected`,
		"new-user csr/jane":                                                                                            `"csr/jane" is the name of a request, not that of a user`,
		"grant csr/jane --clusterrole view":                                                                            `"csr/jane" is the name of a request`,
		"revoke csr/jane":                                                                                              `"csr/jane" is the name of a request`,
		"approve jane --yes --contexts dev,prod-eu -o name":                                                            "--output name does not say which cluster",
		"approve jane --yes -o secret.yaml --out x --context dev":                                                      "-o is the output format; to write to a file: --out secret.yaml",
		"list -o list.yaml --context dev":                                                                              "-o is the output format; to write to a file: > list.yaml",
		"list --sort-by {.user[} --context dev":                                                                        `--sort-by "{.user[}" is not a valid JSONPath expression`,
		"list -o go-template --context dev":                                                                            "requires a template, such as go-template={{.kind}}",
		"list -o go-template-file --context dev":                                                                       "requires a template, such as go-template-file=FILE",
		"status --sort-by {.user[}":                                                                                    `--sort-by "{.user[}" is not a valid JSONPath expression`,
		"show sam/sam.csr --context dev":                                                                               "kubectl csr-onboard --context dev show -f sam/sam.csr",
		"new-user jane --pin --key sam/sam.key --approve --context dev":                                                "--pin and --key exclude each other",
		"new-user jane --external-server host --approve --context dev":                                                 `--external-server "host" is not a valid address of an API server`,
		"new-user jane --approve --default-namespace a/b --context dev":                                                `--default-namespace "a/b" is not a valid namespace`,
		"new-user jane --approve --default-namespace Foo --context dev":                                                "hint: a namespace is named with lower case letters, digits and '-', at most 63 characters, starting and ending with a letter or digit\n",
		"new-user jane --approve --clusterrole view -n Foo --context dev":                                              "hint: a namespace is named with lower case letters, digits and '-', at most 63 characters, starting and ending with a letter or digit\n",
		"new-user jane --group " + pinGroup + " --context dev":                                                         `--group "` + pinGroup + `" is the group of a pin`,
		"grant --group " + pinGroup + " --clusterrole view --context dev":                                              `--group "` + pinGroup + `" is the group of a pin`,
		"list --request-timeout abc --context dev":                                                                     "error: --request-timeout \"abc\" is not a valid duration\nhint: write seconds",
		"fetch jane --external-server host --context dev":                                                              `--external-server "host" is not a valid address of an API server`,
		"approve jane --yes --out x --external-server host --context dev":                                              `--external-server "host" is not a valid address of an API server`,
		"approve jane --yes --out x --timeout 0s --context dev":                                                        "--timeout",
		"fetch sam --dir sam --from bare.crt --server host --certificate-authority ca.crt":                             `--server "host" is not a valid address of an API server`,
		"fetch sam --dir sam --from bare.crt --proxy-url http://p:1 --server https://h --certificate-authority ca.crt": "with a bare certificate",
		"ledger verify a b":                                                                                            "accepts one FILE, got 2",
		"ledger verify team.csv --head abc":                                                                            `--head "abc" is not a SHA-256 in hexadecimal`,
		"ledger import --context dev":                                                                                  "one of --audit-log, --issuance-log",
		"ledger seen --context dev":                                                                                    "--audit-log is required",
		"ledger --expiring soon --context dev":                                                                         "--expiring: \"soon\" is not a valid duration\nhint: write years, weeks, days, hours, minutes or seconds",
		"doctor --probe --timeout soon --context dev":                                                                  "\"soon\" is not a valid duration\nhint: write years, weeks, days, hours, minutes or seconds",
		"new-user jane --expiration soon --context dev":                                                                "\"soon\" is not a valid lifetime\nhint: write years, weeks, days, hours or minutes",
		"policy check a":                                               "error: policy check accepts no arguments, got \"a\"",
		"ledger import a":                                              "error: ledger import accepts no arguments, got \"a\"",
		"revocations accept a":                                         "error: revocations accept accepts no arguments, got \"a\"",
		"status a":                                                     "error: status accepts no arguments, got \"a\"",
		"renew dev --context prod-eu":                                  "error: the CONTEXT \"dev\" is another than --context \"prod-eu\"",
		"ledger --expiring 0s --context dev":                           `--expiring "0s" must be more than zero`,
		"ledger -o json --no-headers --context dev":                    "--no-headers does nothing with -o json",
		"import sam/sam.csr":                                           "to submit and approve a request in a file: kubectl csr-onboard approve -f FILE",
		"grant jane --clusterrole view --expiration 1h":                "unknown flag: --expiration",
		"new-user jane --contexts dev,prod-eu,none --dir jane":         `"none"`,
		"new-user jane --contexts-from team.csv --dir jane":            `"name"`,
		"doctor --probe --timeout 0s --context dev":                    "--timeout",
		"policy explain renewals --context dev":                        "requires the name of a policy and the name of a request",
		"fetch sam --dir sam --from team.csv --proxy-url http://u:p@h": "invalid --proxy-url: it must be a URL without a user name and a password",
		"revoke sam/sam.csr --context dev":                             "--certificate sam/sam.csr",
		"new-user -f team.csv --out jane.kubeconfig --context dev":     "--out",
	} {
		code, errOut := d.ends(t, new(bytes.Buffer), line)
		if code != 2 || !strings.Contains(errOut, want) {
			t.Errorf("%s: exit code %d, and %q is missing in\n%s", line, code, want, errOut)
		}
	}
	after, err := os.ReadDir(".")
	if err != nil || len(after) != len(before) {
		t.Errorf("%d files before, and %d after; %v", len(before), len(after), err)
	}
}

// awaited is an output that ends a command when it has all of some texts.
type awaited struct {
	mutex sync.Mutex
	text  bytes.Buffer
	parts []string
	end   func()
}

func (a *awaited) Write(text []byte) (int, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	n, err := a.text.Write(text)
	for _, part := range a.parts {
		if !strings.Contains(a.text.String(), part) {
			return n, err
		}
	}
	a.end()
	return n, err
}

func TestClusters_ChangesOfAllClustersAreFollowed(t *testing.T) {
	for _, format := range []string{"", " -o json"} {
		d := newThreeClusters(t)
		d.runs(t, 0, "new-user jane --dir jane --context dev")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		// The first is listed; what comes of the others is seen.
		out := &awaited{parts: []string{"prod-eu", "prod-us", "joe", "kim"}, end: cancel}
		begun := &awaited{parts: []string{"jane"}, end: func() {}}
		listed := make(chan struct{})
		var once sync.Once
		begun.end = func() { once.Do(func() { close(listed) }) }
		ended := make(chan int, 1)
		var errOut bytes.Buffer
		go func() {
			streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: both{begun, out}, ErrOut: &errOut}
			ended <- Execute(ctx, strings.Fields("list --watch --contexts dev,prod-*"+format), streams, buildinfo.Build{Version: "v0.1.0"}, time.Now)
		}()
		select {
		case <-listed:
		case <-ctx.Done():
			t.Fatal("nothing is listed")
		}
		d.runs(t, 0, "new-user joe --dir joe --context prod-eu")
		d.runs(t, 0, "new-user kim --dir kim --context prod-us")
		if code := <-ended; code != 0 {
			t.Errorf("exit code %d\n%s%s", code, out.text.String(), errOut.String())
		}
	}
}

// both writes to two outputs.
type both struct{ first, second *awaited }

func (b both) Write(text []byte) (int, error) {
	if n, err := b.first.Write(text); err != nil {
		return n, err
	}
	return b.second.Write(text)
}

// TestCommandLine_AKubeconfigThatCannotBeUsedIsExplained runs commands with kubeconfigs that people have.
func TestCommandLine_AKubeconfigThatCannotBeUsedIsExplained(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --dir jane --approve")
	server, authority := d.server.Endpoint.Server, string(d.server.Endpoint.CertificateAuthority)
	d.runs(t, 0, "new-user kim --offline --dir kim")
	admin, other := d.server.Credentials(t, "admin", clustertest.Masters), clustertest.New(t).Credentials(t, "jane")
	for name, text := range map[string][]byte{"ca.crt": []byte(authority), "admin.crt": admin.Certificate, "admin.key": admin.Key, "other.crt": other.Certificate, "other.key": other.Key} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := func(cluster, user, context, current string) string {
		return "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {" + cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\ncontexts: [{name: x, context: {" + context + "}}]\ncurrent-context: " + current + "\n"
	}
	reached := "server: '" + server + "', certificate-authority: ca.crt"
	for about, test := range map[string]struct {
		kubeconfig, line string
		code             int
		want             string
	}{
		"no context":                     {"apiVersion: v1\nkind: Config\n", "status", 1, "no kubeconfig with a context found"},
		"no current context":             {whole(reached, "", "cluster: c, user: u", `""`), "renew", 2, "has no current context, and none is named"},
		"another context":                {whole(reached, "", "cluster: c, user: u", "x"), "list --context y", 2, `context "y" not found in the kubeconfig`},
		"a cluster that is missing":      {whole(reached, "", "cluster: d, user: u", "x"), "list", 2, `the context "x" is of the cluster "d", which the kubeconfig does not have`},
		"a user that is missing":         {whole(reached, "", "cluster: c, user: v", "x"), "renew", 1, `the context "x" is of the user "v", which the kubeconfig does not have`},
		"a user of the flag is missing":  {whole(reached, "", "cluster: c, user: u", "x"), "list --user v", 2, "the kubeconfig cannot be used"},
		"nobody logs in":                 {whole(reached, "", "cluster: c, user: u", "x"), "list", 1, "requires credentials, and the kubeconfig has none for this context"},
		"a user without a user":          {whole(reached, "", "cluster: c, user: v", "x"), "status --live", 0, "requires credentials"},
		"a token":                        {whole(reached, "token: t0ken", "cluster: c, user: u", "x"), "renew", 1, "does not log in with a client certificate"},
		"a password":                     {whole(reached, "username: u, password: t0ken", "cluster: c, user: u", "x"), "status -o wide", 0, "password"},
		"a certificate of a flag":        {whole(reached, "", "cluster: c, user: u", "x"), "list --client-certificate jane/jane.csr --client-key jane/jane.key", 2, `the client certificate "jane/jane.csr" and the key "jane/jane.key" cannot be used`},
		"a certificate of another key":   {whole(reached, "client-certificate: ca.crt, client-key: jane/jane.key", "cluster: c, user: u", "x"), "list", 2, "private key does not match public key"},
		"a certificate's file missing":   {whole(reached, "client-certificate: missing.crt, client-key: jane/jane.key", "cluster: c, user: u", "x"), "list", 2, "missing.crt"},
		"content that is none":           {whole(reached, "client-certificate-data: eA==, client-key-data: eA==", "cluster: c, user: u", "x"), "list", 2, "hint: check the certificates and the key against: kubectl config view"},
		"a CA that cannot be parsed":     {whole("server: '"+server+"', certificate-authority-data: eA==", "", "cluster: c, user: u", "x"), "list", 2, "unable to load root certificates"},
		"a timeout":                      {whole(reached, "", "cluster: c, user: u", "x"), "list --request-timeout never", 2, `--request-timeout "never" is not a valid duration`},
		"no timeout":                     {whole(reached, "", "cluster: c, user: u", "x"), "status --live --request-timeout 0s", 0, "x"},
		"one that is not YAML":           {"a: [", "list", 2, "the kubeconfig cannot be read"},
		"aliases of aliases":             {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n", "list", 2, "the kubeconfig cannot be read"},
		"a proxy that cannot be":         {whole(reached+", proxy-url: 'ftp://p'", "", "cluster: c, user: u", "x"), "list", 2, "invalid proxy-url of the cluster"},
		"no current context to list":     {whole(reached, "", "cluster: c, user: u", `""`), "list", 1, "no current context"},
		"no TLS":                         {whole("server: 'http://h:1'", "", "cluster: c, user: u", "x"), "list", 2, "is not reached over TLS"},
		"a directory of the flag":        {whole(reached, "", "cluster: c, user: u", "x"), "list --certificate-authority .", 2, "not a regular file"},
		"a user of the flag":             {whole(reached, "token: t0ken", "cluster: c, user: u", "x"), "list --user u", 1, "does not accept these credentials"},
		"a context of the flag":          {whole(reached, "token: t0ken", "cluster: c, user: u", "x"), "list --context x", 1, "does not accept these credentials"},
		"a refused certificate":          {whole(reached, "", "cluster: c, user: u", "x"), "list --client-certificate other.crt --client-key other.key", 1, "does not accept these credentials"},
		"what is called":                 {whole(reached, "token: t0ken", "cluster: c, user: u", "x"), "list -v=6", 1, "GET /apis/certificates.k8s.io/v1/certificatesigningrequests"},
		"an unchecked server":            {whole("server: '"+server+"', insecure-skip-tls-verify: true", "client-certificate: admin.crt, client-key: admin.key", "cluster: c, user: u", "x"), "approve -f kim/kim.csr --yes --out kim.handoff", 0, "kubectl csr-onboard fetch kim --from kim.handoff --insecure-skip-tls-verify"},
		"a context without a cluster":    {whole(reached, "", "user: u", "x"), "status --live", 0, "x"},
		"a certificate authority's file": {whole("server: '"+server+"', certificate-authority: missing.crt", "", "cluster: c, user: u", "x"), "list", 2, "missing.crt"},
	} {
		if err := os.WriteFile("config", []byte(test.kubeconfig), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		code, errOut := d.ends(t, &out, test.line+" --kubeconfig config")
		if said := out.String() + errOut; code != test.code || !strings.Contains(said, test.want) || strings.Contains(said, "t0ken") {
			t.Errorf("%s: exit code %d, want %d; %q is missing in\n%s", about, code, test.code, test.want, said)
		}
	}
}

func TestCommandLine_WhatIsMissingIsSaidWithWhatToDo(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --dir jane --approve --renewable")
	d.runs(t, 0, "new-user kim --dir kim --approve --renewable")
	d.server.Refuse("create", "certificatesigningrequests")
	d.server.Permit("jane", "create", "selfsubjectreviews")
	if code, errOut := d.ends(t, new(bytes.Buffer), "show "+" "); code != 2 {
		t.Errorf("%d: %s", code, errOut)
	}
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	d.says(t, 2, "renew --kubeconfig jane/jane.kubeconfig", "no home directory found to keep the key of a renewal in", "set HOME")
	t.Setenv("HOME", d.home)
	t.Setenv("KUBECONFIG", filepath.Join(d.home, "missing"))
	d.says(t, 1, "new-user joe --dir joe", "no kubeconfig found", "to create a request without a cluster, and send it to an administrator: --offline")
	if err := os.WriteFile("broken", []byte("a: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", filepath.Join(d.home, "missing")+string(filepath.ListSeparator)+filepath.Join(d.home, "broken"))
	d.says(t, 2, "list", "the kubeconfig cannot be read", "broken")
	two := ""
	for range 2 {
		two += "---\n{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: a}, spec: {request: '" + requestOf(t, "jane/jane.csr") + "', signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}}\n"
	}
	certificate, key := d.server.AuthorityFiles(t)
	for name, text := range map[string][]byte{"two.yaml": []byte(two), "ca.crt": certificate, "ca.key": key} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.says(t, 1, "sign two.yaml --ca-cert ca.crt --ca-key ca.key --yes --out jane.crt", `there are 2 requests in "two.yaml"`, "sign them one at a time")
}

// requestOf is a PKCS#10 request as an object has it.
func requestOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

func TestCommandLine_ContextsThatCannotBeRenewedAreCounted(t *testing.T) {
	d := newDesk(t)
	d.runs(t, 0, "new-user jane --dir jane --approve")
	d.runs(t, 0, "new-user kim --dir kim --approve")
	d.server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		isRefused := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/certificatesigningrequests")
		if isRefused {
			clustertest.Fail(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		}
		return isRefused
	}
	t.Setenv("KUBECONFIG", filepath.Join("jane", "jane.kubeconfig")+string(filepath.ListSeparator)+filepath.Join("kim", "kim.kubeconfig"))
	d.says(t, 1, "renew --all --wait=false", "jane@test", "kim@test", "2 contexts were not renewed; the first: ")
	d.says(t, 1, "renew --all", "2 contexts were not renewed; the first: ")
}

func TestCommandLine_CompletionIsInstalledNextToThePlugin(t *testing.T) {
	d := newDesk(t)
	bin := filepath.Join(d.home, "tools")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "kubectl-csr_onboard"), []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // It is a program.
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	d.says(t, 0, "completion install", filepath.Join(bin, "kubectl_complete-csr_onboard"))
	out, _ := d.runs(t, 0, "__complete list --cluster t")
	if !strings.Contains(out, "test") {
		t.Errorf("%q", out)
	}
	tree := Tree(buildinfo.Build{Version: "v0.1.0", Commit: "abc"})
	if len(tree.Commands()) < len(commands) {
		t.Errorf("%d of %d commands", len(tree.Commands()), len(commands))
	}
}

func TestCommandLine_AnEmptyArgumentIsSaidToBeEmpty(t *testing.T) {
	newDesk(t)
	for _, test := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"sign", ""}, "error: the FILE is empty\n"},
		{[]string{"renew", ""}, "error: the CONTEXT is empty\n"},
		{[]string{"offboard", ""}, "hint: name the user, for example: jane\n"},
		{[]string{"grant", "", "--clusterrole", "view"}, "hint: name the user, for example: jane\n"},
	} {
		var errOut bytes.Buffer
		streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: &errOut}
		if code := Execute(t.Context(), test.arguments, streams, buildinfo.Build{}, time.Now); code != 2 || !strings.Contains(errOut.String(), test.want) {
			t.Errorf("%q: exit code %d, %s", test.arguments, code, errOut.String())
		}
	}
}
