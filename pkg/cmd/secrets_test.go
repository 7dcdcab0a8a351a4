package cmd

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/buildinfo"
)

// canary stands for every secret of a kubeconfig. It is one word, which no escaping
// changes.
const canary = "Kanarienvogel7x9Kanarienvogel7x9"

// canaries are the forms in which the secret may be seen: as it is, in base64 wherever it
// begins, and as the numbers that fmt makes of bytes.
func canaries() []string {
	forms := []string{canary[:16], strings.Trim(fmt.Sprintf("%d", []byte(canary[:6])), "[]"), fmt.Sprintf("%x", canary[:8])}
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary))
		forms = append(forms, encoded[4:24])
	}
	return forms
}

// secretUser is the content of a user entry with a secret in it, as a YAML flow mapping in
// which %s is the secret.
var secretUsers = map[string]string{ //nolint:gosec // The canary, where a kubeconfig has its secrets.
	"token":         `{token: %s}`,
	"password":      `{username: jane, password: %s}`,
	"key data":      `{client-certificate-data: Y2VydA==, client-key-data: %s}`,
	"auth provider": `{auth-provider: {name: oidc, config: {client-secret: %s, refresh-token: %[1]s}}}`,
	"exec env":      `{exec: {apiVersion: client.authentication.k8s.io/v1, command: nowhere-plugin, interactiveMode: Never, env: [{name: SECRET, value: %s}]}}`,
	"exec argument": `{exec: {apiVersion: client.authentication.k8s.io/v1, command: nowhere-plugin, interactiveMode: Never, args: [--password, %s]}}`,
	"an extension":  `{token: harmless, extensions: [{name: x, extension: {secret: %s}}]}`,
}

// secretForms are ways to write a secret, right and wrong.
var secretForms = map[string]string{
	"as it is":               canary,
	"quoted":                 `"` + canary + `"`,
	"in base64":              base64.StdEncoding.EncodeToString([]byte(canary)),
	"as a key in PEM":        base64.StdEncoding.EncodeToString([]byte("-----BEGIN PRIVATE KEY-----\n" + canary + "\n-----END PRIVATE KEY-----\n")),
	"in damaged base64":      base64.StdEncoding.EncodeToString([]byte(canary)) + "%",
	"as a list":              `[` + canary + `]`,
	"as a mapping":           `{` + canary + `: ` + canary + `}`,
	"as a key":               `{x: y, ` + canary + `: }`,
	"as an alias":            `*` + canary,
	"as an anchor":           `&` + canary + ` x`,
	"with an anchor":         `&a ` + canary,
	"as a tag":               `!` + canary + ` x`,
	"as a tag of YAML's":     `!!` + canary + ` x`,
	"tagged as a number":     `!!int ` + canary,
	"tagged as true":         `!!bool ` + canary,
	"tagged as binary":       `!!binary "` + canary + `%"`,
	"tagged as a time":       `!!timestamp ` + canary,
	"with an open quote":     `"` + canary,
	"with an open bracket":   `[` + canary,
	"with a wrong escape":    `"\q` + canary + `"`,
	"with a wrong character": `@` + canary,
	"behind a colon":         `a: ` + canary + `: b`,
	"with a control":         "\"" + canary + "\x01\"",
	"with broken UTF-8":      canary + "\xff",
	"as a number too long":   `[1e99999, ` + canary + `]`,
}

// addresses are servers and proxies with a secret in them.
var secretAddresses = map[string][2]string{
	"a server with a password":             {"https://jane:" + canary + "@127.0.0.1:1", ""},
	"a server with a user":                 {"https://" + canary + "@127.0.0.1:1", ""},
	"a server with a query":                {"https://127.0.0.1:1/?token=" + canary, ""},
	"a server with a fragment":             {"https://127.0.0.1:1/#" + canary, ""},
	"a server with a mistyped password":    {"https://jane:12/" + canary + "@127.0.0.1:1", ""},
	"a server with a password and no port": {"https://jane:" + canary + "@127.0.0.1:port", ""},
	"a server with a wrong escape":         {"https://jane:%zz" + canary + "@127.0.0.1:1", ""},
	"a server with a space":                {"https://jane:" + canary + " @127.0.0.1:1", ""},
	"a server without TLS":                 {"http://jane:" + canary + "@127.0.0.1:1", ""},
	"a server without a scheme":            {"jane:" + canary + "@127.0.0.1:1", ""},
	"a server of another scheme":           {"ftp://jane:" + canary + "@127.0.0.1:1", ""},
	"a server with one slash":              {"https:/jane:" + canary + "@127.0.0.1:1", ""},
	"a server without slashes":             {"https:jane:" + canary + "@127.0.0.1:1", ""},
	"a proxy with a password":              {"https://127.0.0.1:1", "http://jane:" + canary + "@127.0.0.1:1"},
	"a proxy of SOCKS with a password":     {"https://127.0.0.1:1", "socks5://jane:" + canary + "@127.0.0.1:1"},
	"a proxy with a query":                 {"https://127.0.0.1:1", "http://127.0.0.1:1?" + canary},
	"a proxy with a wrong escape":          {"https://127.0.0.1:1", "http://jane:%zz" + canary + "@127.0.0.1:1"},
	"a proxy with a wrong port":            {"https://127.0.0.1:1", "http://jane:" + canary + "@127.0.0.1:port"},
	"a proxy with a mistyped password":     {"https://127.0.0.1:1", "http://jane:12/" + canary + "@127.0.0.1:1"},
	"a proxy of another scheme":            {"https://127.0.0.1:1", "ftp://jane:" + canary + "@127.0.0.1:1"},
	"a proxy without a scheme":             {"https://127.0.0.1:1", "jane:" + canary + "@127.0.0.1:1"},
	"a proxy with a control":               {"https://127.0.0.1:1", "http://jane:" + canary + "\\x01@127.0.0.1:1"},
}

// kubeconfigOf writes a kubeconfig whose user and cluster are named once, or twice.
func kubeconfigOf(server, proxy, user string, users int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster:\n    server: %q\n", server)
	if proxy != "" {
		fmt.Fprintf(&b, "    proxy-url: \"%s\"\n", proxy)
	}
	b.WriteString("users:\n")
	for range users {
		fmt.Fprintf(&b, "- name: u\n  user: %s\n", user)
	}
	b.WriteString("contexts:\n- name: x\n  context: {cluster: c, user: u}\ncurrent-context: x\n")
	return b.String()
}

// secretKubeconfigs are kubeconfigs with a secret in them, by what is special about them.
func secretKubeconfigs(t *testing.T, server string) map[string]string {
	t.Helper()
	const nowhere = "https://127.0.0.1:1"
	files := map[string]string{}
	for field, user := range secretUsers {
		for form, secret := range secretForms {
			// Every form of one field, and the most telling ones of the others.
			if field == "token" || slices.Contains([]string{"as it is", "as a list", "as an alias", "as a tag", "in damaged base64"}, form) {
				files[field+" "+form] = kubeconfigOf(nowhere, "", fmt.Sprintf(user, secret), 1)
			}
		}
		right := fmt.Sprintf(user, canary)
		files[field+", user twice"] = kubeconfigOf(nowhere, "", right, 2)
		if field != "token" && field != "exec env" {
			continue
		}
		whole := kubeconfigOf(nowhere, "", right, 1)
		files[field+", truncated"] = whole[:strings.LastIndex(whole, canary)+20]
		files[field+", behind a tab"] = strings.Replace(whole, "  user: {", "\tuser: {", 1)
		files[field+", without a colon"] = strings.Replace(whole, "  user: {", "  user {", 1)
		files[field+", as a list"] = strings.Replace(whole, "  user: {", "  user: [{", 1)
		files[field+", users a mapping"] = strings.Replace(whole, "- name: u\n", "  name: u\n", 1)
		files[field+", of another kind"] = strings.Replace(whole, "kind: Config", "kind: Secret", 1)
		files[field+", of another version"] = strings.Replace(whole, "apiVersion: v1", "apiVersion: v9", 1)
		files[field+", with a server that answers"] = strings.Replace(whole, "server: \""+nowhere+"\"", "insecure-skip-tls-verify: true\n    server: \""+server+"\"", 1)
	}
	for about, address := range secretAddresses {
		files[about] = kubeconfigOf(address[0], address[1], "{token: harmless}", 1)
		files[about+", cluster twice"] = strings.Replace(files[about], "users:", fmt.Sprintf("- name: c\n  cluster: {server: %q}\nusers:", address[0]), 1)
	}
	return files
}

// commandsWithKubeconfig is every command, with the kubeconfig FILE in each place where a
// file may be given.
var commandsWithKubeconfig = [][]string{
	{"new-user", "jane", "--dir", "D"},
	{"new-user", "jane", "--dir", "D", "--approve", "--merge"},
	{"new-user", "jane", "--dir", "D", "--dry-run=server"},
	{"new-user", "jane", "--dir", "E", "--key", "FILE"},
	{"new-user", "-f", "FILE", "--dir", "D"},
	{"approve", "jane", "--yes"},
	{"approve", "--all", "--yes"},
	{"approve", "-f", "FILE", "--yes", "--out", "given.handoff.yaml"},
	{"deny", "jane", "--yes"},
	{"fetch", "jane", "--dir", "D"},
	{"fetch", "jane", "--dir", "D", "--merge"},
	{"fetch", "jane", "--dir", "D", "--exec"},
	{"fetch", "jane", "--dir", "D", "--out", "FILE"},
	{"fetch", "jane", "--dir", "D", "--from", "FILE"},
	{"renew"},
	{"renew", "--all"},
	{"renew", "--exec"},
	{"credential", "--cache", "CACHE"},
	{"status"},
	{"status", "-o", "json"},
	{"list"},
	{"sign", "FILE", "--ca-cert", "FILE", "--ca-key", "FILE", "--yes"},
	{"grant", "jane", "--clusterrole", "view"},
	{"offboard", "jane", "--yes"},
	{"offboard", "jane", "--yes", "--block", "--certificate", "FILE"},
	{"revoke", "jane"},
	{"revoke", "--certificate", "FILE"},
	{"revoke", "--service-account-token", "FILE"},
	{"unrevoke", "--certificate", "FILE"},
	{"revocations"},
	{"revocations", "accept"},
	{"revocations", "render", "--base", "FILE"},
	{"ledger"},
	{"ledger", "import", "--certificate", "FILE"},
	{"ledger", "import", "--audit-log", "FILE"},
	{"ledger", "import", "--issuance-log", "FILE"},
	{"ledger", "seen", "--audit-log", "FILE"},
	{"ledger", "verify", "FILE"},
	{"policy", "check"},
	{"doctor"},
	{"version"},
	{"options"},
	{"show", "jane"},
	{"completion", "bash"},
	{"__complete", "approve", ""},
	{"__complete", "renew", ""},
	{"__complete", "approve", "--user", ""},
}

// TestSecrets_NoSecretOfAKubeconfigIsSaidOrGivenAway runs the commands with every kubeconfig.
func TestSecrets_NoSecretOfAKubeconfigIsSaidOrGivenAway(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }))
	t.Cleanup(server.Close)
	files := secretKubeconfigs(t, server.URL)
	if len(files) < 60 {
		t.Fatalf("there are %d kubeconfigs", len(files))
	}
	var named []string
	for _, command := range commandsWithKubeconfig {
		named = append(named, command[0])
	}
	for _, command := range commands {
		if !slices.Contains(named, command.name) {
			t.Errorf("the command %s is not tried", command.name)
		}
	}
	for i, about := range slices.Sorted(maps.Keys(files)) {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			saysNoSecret(t, files[about], i)
		})
	}
}

// TestMain keeps the tests apart from the machine's own files.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		home, err := os.MkdirTemp("", "csr-onboard-cmd-")
		if err == nil {
			defer os.RemoveAll(home) //nolint:errcheck // A temporary directory.
			err = errors.Join(os.Setenv("HOME", home), os.Unsetenv("KUBECONFIG"), os.Chdir(home))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// saysNoSecret runs the commands with a kubeconfig, which is the one at a place among all.
func saysNoSecret(t *testing.T, file string, place int) {
	t.Helper()
	directory := t.TempDir()
	path, cache := filepath.Join(directory, "kubeconfig"), filepath.Join(directory, "cache")
	if err := os.Mkdir(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	kept := []string{path, filepath.Join(cache, "kubeconfig")}
	for _, one := range kept {
		if err := os.WriteFile(one, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replaced := strings.NewReplacer("FILE", path, "CACHE", cache)
	for i, command := range commandsWithKubeconfig {
		if (place+i)%oneIn(6) != 0 {
			continue
		}
		var arguments []string
		for _, argument := range command {
			switch argument {
			case "D", "E", "given.handoff.yaml":
				argument = filepath.Join(directory, argument)
			}
			arguments = append(arguments, replaced.Replace(argument))
		}
		if command[0] == "__complete" {
			arguments = slices.Insert(arguments, 1, "--kubeconfig", path)
		} else {
			arguments = append(arguments, "--kubeconfig", path, "--request-timeout", "2s")
		}
		var out, failure bytes.Buffer
		Execute(context.Background(), arguments, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &failure}, buildinfo.Build{Version: "v0"}, time.Now)
		if found := secretIn(out.String() + failure.String()); found != "" {
			t.Errorf("%q says %q:\n%s%s", command, found, out.String(), failure.String())
		}
	}
	for _, one := range kept {
		if now, err := os.ReadFile(one); err != nil || string(now) != file {
			t.Errorf("%s was changed: %v", filepath.Base(one), err)
		}
	}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || slices.Contains(kept, path) {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // The directory is the test's own.
		if found := secretIn(string(data)); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// secretIn is the first form of the secret in a text, or "".
func secretIn(text string) string {
	for _, form := range canaries() {
		if strings.Contains(text, form) {
			return form
		}
	}
	return ""
}

// TestSecrets_NoSecretOfALoginPluginIsSaid has a plugin whose answer cannot be decoded, and one of
// which client-go would quote all of it.
func TestSecrets_NoSecretOfALoginPluginIsSaid(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the plugin is a shell script")
	}
	for about, answer := range map[string]string{
		"without a kind": `{"status":{"token":"` + canary + `"}}`,
		"not JSON":       canary,
		"wrong types":    `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":["` + canary + `"]}}`,
		"no version":     `{"apiVersion":"` + canary + `/v1","kind":"ExecCredential"}`,
		"a wrong key":    `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"clientCertificateData":"` + canary + `","clientKeyData":"` + canary + `"}}`,
	} {
		t.Run(about, func(t *testing.T) {
			quoted, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			user := fmt.Sprintf(`{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, interactiveMode: Never, args: [-c, 'printf %%s "$ANSWER"'], env: [{name: ANSWER, value: %s}]}}`, quoted)
			path := filepath.Join(t.TempDir(), "kubeconfig")
			if err := os.WriteFile(path, []byte(kubeconfigOf("https://127.0.0.1:1", "", user, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, failure bytes.Buffer
			code := Execute(context.Background(), []string{"list", "--kubeconfig", path}, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &failure}, buildinfo.Build{}, time.Now)
			if code == 0 || !strings.Contains(failure.String(), "getting credentials: ") || secretIn(out.String()+failure.String()) != "" {
				t.Errorf("exit code %d\n%s%s", code, out.String(), failure.String())
			}
		})
	}
}
