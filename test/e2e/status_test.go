package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

func TestStatus_StatusSaysOfEveryContextUntilWhen(t *testing.T) {
	s := ending(t, "status")
	config := s.load("config")
	context := config.Contexts["status@csr-onboard"]
	add := func(name string, user *clientcmdapi.AuthInfo) {
		config.AuthInfos[name] = user
		config.Contexts[name] = &clientcmdapi.Context{Cluster: context.Cluster, AuthInfo: name}
	}
	key, certificate := config.AuthInfos["status@csr-onboard"].ClientKeyData, s.certificate("config")
	sign := func(notBefore, notAfter time.Time) *clientcmdapi.AuthInfo {
		return &clientcmdapi.AuthInfo{ClientKeyData: key, ClientCertificateData: authorityFor(t, shared).sign(t,
			identity.User{Name: "status", Groups: []string{"dev"}}, certificate.Leaf.PublicKey, notBefore, notAfter)}
	}
	issue := func(notAfter time.Time) *clientcmdapi.AuthInfo { return sign(time.Now().Add(-time.Hour), notAfter) }
	add("ended", issue(time.Now().Add(-time.Minute)))
	add("long", issue(time.Now().Add(100*24*time.Hour)))
	add("early", sign(time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)))
	add("never", sign(time.Now().Add(2*time.Hour), time.Now().Add(time.Hour)))
	add("last", issue(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)))
	add("token", &clientcmdapi.AuthInfo{Token: "wrong"})
	add("plugin", &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: "/bin/false", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}})
	add("away", issue(time.Now().Add(100*24*time.Hour)))
	config.Clusters["away"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
	config.Contexts["away"].Cluster = "away"
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.must("renew", "--wait=false")

	var list struct {
		Kind  string
		Items []struct {
			Context, Login, Live string
			Current              bool
			User                 *struct {
				Name   string
				Groups []string
			}
			SecondsLeft *int64
			Renewal     *struct{ State string }
		}
	}
	if err := json.Unmarshal([]byte(s.must("status", "--live", "-o", "json").Stdout), &list); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, item := range list.Items {
		text := item.Live
		if item.Current {
			text = "current, " + text
		}
		if item.User != nil {
			text += ", " + item.User.Name + " in " + strings.Join(item.User.Groups, ",")
		}
		if item.SecondsLeft != nil && *item.SecondsLeft <= 0 {
			text += ", ended"
		}
		if item.Renewal != nil {
			text += ", renewal " + item.Renewal.State
		}
		got[item.Context] = text
	}
	want := map[string]string{
		"status@csr-onboard": "current, yes, status in dev, renewal Pending",
		"ended":              "no, status in dev, ended",
		"long":               "yes, status in dev",
		"early":              "no, status in dev",
		"never":              "no, status in dev",
		"last":               "yes, status in dev",
		"token":              "no",
		"plugin":             "not tried",
		"away":               "unreachable, status in dev",
	}
	if diff := cmp.Diff(want, got); diff != "" || list.Kind != "ContextStatusList" {
		t.Errorf("%s:\n%s", list.Kind, diff)
	}

	table := s.must("status", "--live")
	for _, text := range []string{"CURRENT ", "CONTEXT ", "USER ", "GROUPS ", "LEFT ", "RENEWAL ", "LIVE", "pending", " expired ", " not yet ", fmt.Sprintf(" %dy ", 9999-time.Now().Year())} {
		if !strings.Contains(table.Stdout, text) {
			t.Errorf("the table does not say %q:\n%s", text, table.Stdout)
		}
	}
	if strings.Contains(table.Stdout, "\x1b") {
		t.Error("there are colours where there is no terminal")
	}
	wide := s.must("status", "-o", "wide").Stdout
	for _, text := range []string{"EXPIRES ", "KEY\n", "exec /bin/false\n", " 9999-12-31T23:59:59Z "} {
		if !strings.Contains(wide, text) {
			t.Errorf("the wide table does not say %q:\n%s", text, wide)
		}
	}
	sorted := strings.Fields(s.must("status", "-o", "name", "--sort-by", "{.secondsLeft}").Stdout)
	if len(sorted) != 9 || sorted[8] != "last" || slices.Index(sorted, "ended") > slices.Index(sorted, "long") {
		t.Errorf("by the time left: %q", sorted)
	}
	if bare := s.must("status", "--no-headers").Stdout; strings.Contains(bare, "CONTEXT") || strings.Count(bare, "\n") != 9 {
		t.Errorf("without headers:\n%s", bare)
	}
	s.check(s.run("status", "--fail-within", "7d"), expect{1, []string{`4 of 9 contexts`, `"early", "ended", "never", "status@csr-onboard"`}})
	for context, says := range map[string]string{"early": "early: the certificate is not valid before ", "never": "never: the certificate is never valid: it expires "} {
		if !strings.Contains(table.Stderr, says) {
			t.Errorf("status does not say %q:\n%s", says, table.Stderr)
		}
		s.check(s.run("renew", context, "--within", "1h"), expect{1, []string{"the context \"" + context + "\": " + strings.TrimPrefix(says, context+": "), "hint: "}})
	}
	s.must("status", "--context", "long", "--fail-within", "7d")
	s.check(s.run("status", "--fail-within", "7"), expect{2, []string{"--fail-within"}})
	s.check(s.run("status", "-o", "xml"), expect{2, []string{`"xml"`}})
	s.check(s.run("status", "--context", "nowhere"), expect{2, []string{"nowhere"}})
}

func TestStatus_StatusLogsInAsNoContextThatNobodyChose(t *testing.T) {
	s := ending(t, "unchosen")
	var asked, logins atomic.Int64
	foreign := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.HasSuffix(r.URL.Path, "/selfsubjectreviews") {
			logins.Add(1)
		}
	}))
	t.Cleanup(foreign.Close)
	config := s.load("config")
	pair := config.AuthInfos["unchosen@csr-onboard"]
	if err := os.WriteFile(s.path("token"), []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	config.Clusters["foreign"] = &clientcmdapi.Cluster{Server: foreign.URL, InsecureSkipTLSVerify: true}
	for name, user := range map[string]*clientcmdapi.AuthInfo{"foreign-token": {TokenFile: s.path("token")}, "foreign-pair": pair} {
		config.AuthInfos[name] = user
		config.Contexts[name] = &clientcmdapi.Context{Cluster: "foreign", AuthInfo: name}
	}
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	table := s.must("status")
	if n := asked.Load(); n > 0 {
		t.Errorf("the server of contexts that nobody chose was asked %d times", n)
	}
	if n := strings.Count(table.Stdout, "not tried"); n != 2 || !strings.Contains(table.Stdout, "yes") {
		t.Errorf("the table is\n%s", table.Stdout)
	}
	if !strings.Contains(table.Stderr, "2 contexts did not log in; to log in as every context, at the server that each names: kubectl csr-onboard status --live") {
		t.Errorf("it does not say how to ask: %s", table.Stderr)
	}
	if said := s.must("status", "-o", "json"); said.Stderr != "" || asked.Load() > 0 {
		t.Errorf("for a script it says %q, and asks %d times", said.Stderr, asked.Load())
	}
	s.must("status", "--context", "foreign-token")
	if n := asked.Load(); n != 1 || logins.Load() != 1 {
		t.Errorf("the server of the named context was asked %d times", n)
	}
	s.must("status", "--live")
	if n := logins.Load(); n != 3 {
		t.Errorf("with --live, it was logged in %d times", n-1)
	}
}

func TestStatus_StatusColoursWhatEndsSoonOnATerminal(t *testing.T) {
	s := ending(t, "colours")
	screen, code := terminal.Run(t, s.env, nil, "status")
	if code != 0 || !strings.Contains(screen, "\x1b[33m") {
		t.Errorf("exit code %d\n%q", code, screen)
	}
}

func TestStatus_StatusSaysUntilWhenThoughTheKeyIsOpenToOthers(t *testing.T) {
	s := ending(t, "open-key")
	inCache(s)
	if err := os.Chmod(filepath.Join(s.cache(), "kubeconfig"), 0o644); err != nil { //nolint:gosec // That is the fault.
		t.Fatal(err)
	}
	files := ending(t, "open-file")
	config := files.load("config")
	for _, user := range config.AuthInfos {
		files.write("own.crt", string(user.ClientCertificateData))
		files.write("own.key", string(user.ClientKeyData))
		user.ClientCertificateData, user.ClientKeyData = nil, nil
		user.ClientCertificate, user.ClientKey = files.path("own.crt"), files.path("own.key")
	}
	if err := clientcmd.WriteToFile(*config, files.path("config")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(files.path("own.key"), 0o644); err != nil { //nolint:gosec // That is the fault.
		t.Fatal(err)
	}
	for name, session := range map[string]*session{"open-key": s, "open-file": files} {
		result := session.must("status", "-o", "wide", "--fail-within", "1m")
		if !strings.Contains(result.Stdout, name+" ") || !strings.Contains(result.Stdout, "Z ") || !strings.Contains(result.Stdout, "dev") {
			t.Errorf("%s: neither user nor expiry is shown:\n%s", name, result.Stdout)
		}
		if !strings.Contains(result.Stderr, "can be read by others than its owner") {
			t.Errorf("%s: the key's trouble is not told:\n%s", name, result.Stderr)
		}
		session.check(session.run("status", "--fail-within", "7d"), expect{1, []string{"1 of 1 context"}})
	}
}

func TestStatus_StatusAcceptsWhatRenewsItself(t *testing.T) {
	s := holder(t, shared, identity.User{Name: "self-renewing", Groups: []string{"dev"}}, time.Now().Add(-time.Hour), time.Now().Add(7*time.Hour))
	s.check(s.run("status", "--fail-within", "7d"), expect{1, []string{`"self-renewing@csr-onboard"`}})
	inCache(s)
	s.must("status", "--fail-within", "7d")
	screen, code := terminal.Run(t, s.env, nil, "status")
	if code != 0 || strings.Contains(screen, "\x1b[33m") {
		t.Errorf("exit code %d, and a healthy certificate stands out:\n%q", code, screen)
	}
}
