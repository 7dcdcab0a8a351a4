package e2e

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
)

// TestProxy_AProxyIsNamedAndItsPasswordIsNot has an administrator reach the cluster through a
// proxy that wants a password, which is theirs alone.
func TestProxy_AProxyIsNamedAndItsPasswordIsNot(t *testing.T) {
	const secret = "proxy-secret-canary"
	s, proxy := newSession(t, shared), hostile.NewProxy(t)
	config := s.loadFrom(s.env.Kubeconfig)
	for _, cluster := range config.Clusters {
		cluster.ProxyURL = proxy.URL(url.UserPassword("administrator", secret))
	}
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.env.Kubeconfig = s.path("config")
	connections := 0
	passed := func(about string, withPassword bool) {
		t.Helper()
		logins := proxy.Logins()
		var with, without int
		for _, login := range logins[connections:] {
			if login == nil {
				without++
			} else if password, _ := login.Password(); login.Username() == "administrator" && password == secret {
				with++
			}
		}
		if connections = len(logins); withPassword && with == 0 || !withPassword && (with > 0 || without == 0) {
			t.Errorf("%s: %d connections with the password, %d without", about, with, without)
		}
	}
	printed := ""
	note := func(arguments ...string) {
		t.Helper()
		result := s.must(arguments...)
		printed += result.Stdout + result.Stderr
	}

	note("new-user", "proxied-user", "--approve", "--dir", "D")
	passed("the administrator's calls", true)
	note("new-user", "proxied-cached", "--approve", "--exec", "--dir", "D")
	note("new-user", "proxied-merged", "--approve", "--merge", "--kubeconfig", "config", "--dir", "D")
	passed("the administrator's other calls", true)
	user := withoutCluster(t, shared)
	user.must("new-user", "proxied-away", "--offline", "--dir", ".")
	bring(user, s, "proxied-away.csr")
	note(append(s.byFingerprint("proxied-away.csr"), "--out", "handoff")...)
	passed("the approval", true)

	named, cached := proxy.URL(nil), ""
	for _, login := range s.load("D/proxied-cached.kubeconfig").AuthInfos {
		cached = string(s.read(strings.TrimPrefix(filepath.Join(login.Exec.Args[2], "kubeconfig"), s.env.Directory)))
	}
	handoff := string(s.read("handoff"))
	for file, text := range map[string]string{
		"the kubeconfig": string(s.read("D", "proxied-user.kubeconfig")), "the handoff": handoff, "the cache": cached,
	} {
		if !strings.Contains(text, "proxy-url: "+named+"\n") {
			t.Errorf("%s does not name the proxy", file)
		}
		if strings.Contains(text, secret) {
			t.Errorf("%s holds the password", file)
		}
	}
	if strings.Contains(printed, secret) {
		t.Errorf("the password was printed:\n%s", printed)
	}
	connections = len(proxy.Logins())
	if who := whoIs(t, s.path("D", "proxied-user.kubeconfig")); who != "proxied-user" {
		t.Errorf("the kubeconfig logs in as %q", who)
	}
	passed("the user's own calls", false)

	bring(s, user, "handoff")
	fetch := append([]string{"fetch", "proxied-away", "--from", "handoff", "--dir", "."}, confirmed(t, shared)...)
	user.check(user.run(fetch...), expect{2, []string{"it names a proxy, " + named}})
	if n := len(proxy.Logins()); n != connections {
		t.Errorf("%d connections were made to a proxy that nobody has accepted", n-connections)
	}
	user.must(append(fetch, "--proxy-url", named)...)
	passed("the login that proves a handoff", false)
	// The administrator's own entry keeps its password.
	if merged := string(s.read("config")); !strings.Contains(merged, secret) {
		t.Error("the administrator's kubeconfig lost the password")
	}
}
