package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
)

const (
	proxyPath  = "/k8s/clusters/c-abc12"
	proxyToken = "kubeconfig-u-abc:tok" //nolint:gosec // The test's own.
)

// throughTLSProxy has the session's kubeconfig lead to a proxy at which TLS ends, as
// Rancher's: it accepts a bearer token under a path of its own, asks for no client
// certificate, and talks to the API server as the administrator.
func throughTLSProxy(s *session) {
	s.t.Helper()
	pass := hostile.PassTo(s.t, s.plane)
	authenticated := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+proxyToken {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"type":"error","status":"401","message":"must authenticate"}`)
			return
		}
		r.Header.Del("Authorization")
		pass.ServeHTTP(w, r)
	})
	mux := http.NewServeMux()
	mux.Handle(proxyPath+"/", http.StripPrefix(proxyPath, authenticated))
	proxy := httptest.NewUnstartedServer(mux)
	proxy.Config.ErrorLog = pass.ErrorLog
	proxy.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	proxy.StartTLS()
	s.t.Cleanup(func() {
		proxy.CloseClientConnections()
		proxy.Close()
	})
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["prod"] = &clientcmdapi.Cluster{Server: proxy.URL + proxyPath, CertificateAuthorityData: encodedCertificate(proxy.Certificate())}
	kubeconfig.AuthInfos["prod"] = &clientcmdapi.AuthInfo{Token: proxyToken}
	kubeconfig.Contexts["prod"] = &clientcmdapi.Context{Cluster: "prod", AuthInfo: "prod"}
	kubeconfig.CurrentContext = "prod"
	if err := clientcmd.WriteToFile(*kubeconfig, s.path("proxy.kubeconfig")); err != nil {
		s.t.Fatal(err)
	}
	s.env.Kubeconfig = s.path("proxy.kubeconfig")
}

func TestTLSProxy_WhereTLSEndsAtAProxyNothingIsApproved(t *testing.T) {
	s := newSession(t, shared)
	throughTLSProxy(s)
	for _, arguments := range [][]string{{"doctor"}, {"doctor", "--probe"}} {
		result := s.run(append(arguments, "-o", "json")...)
		s.check(result, expect{1, []string{"checks failed: client-certificates"}})
		verdicts, sentences := verdictsOf(t, result.Stdout)
		if verdicts["client-certificates"] != "fail" || !strings.Contains(sentences["client-certificates"], "TLS ends there, such as at a proxy") {
			t.Errorf("%q: client-certificates is %q: %s", arguments, verdicts["client-certificates"], sentences["client-certificates"])
		}
	}

	const reason = "client certificates do not reach the API server"
	for _, arguments := range [][]string{
		{"new-user", "tls-proxied", "--approve", "--dir", "D"},
		{"new-user", "tls-proxied", "--wait", "--timeout", "1s", "--dir", "D"},
	} {
		s.check(s.run(arguments...), expect{1, []string{reason, "hint: nothing was created: TLS ends at a proxy", "--server URL", "--verify-login=false"}})
	}
	if listing := s.listing("D"); listing != "" {
		t.Errorf("files were made:\n%s", listing)
	}
	if left := s.must("list", "-o", "name").Stdout; strings.Contains(left, "/tls-proxied-") {
		t.Errorf("a request was made: %s", left)
	}
	writeTeam(s, "proxied-member", 2)
	s.check(s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T"), expect{1, []string{reason}})

	// A handoff is written, with a warning; its user's login says why it fails.
	s.must("new-user", "tls-proxied", "--offline", "--dir", "D")
	handoff := s.must("approve", "-f", "D/tls-proxied.csr", "--yes", "--out", "tls-proxied.handoff.yaml")
	if !strings.Contains(handoff.Stderr, "warning: "+reason) {
		t.Errorf("the handoff comes without a warning:\n%s", handoff.Stderr)
	}
	s.check(s.run("fetch", "tls-proxied", "--dir", "D"), expect{1, []string{`logging in as "tls-proxied" failed`, reason, "TLS ends at a proxy", "--verify-login=false"}})
	s.must("fetch", "tls-proxied", "--dir", "D", "--verify-login=false")
}

func TestTLSProxy_DoctorPassesWhereTheAuthorityHasJustBeenMade(t *testing.T) {
	t.Parallel()
	// Its signer dates certificates back by five minutes.
	s := newSession(t, controlplane.Start(t, controlplane.WithAuthorityAge(time.Second)))
	for _, arguments := range [][]string{{"doctor", "--probe", "-o", "json"}, {"doctor", "-o", "json"}} {
		if arguments[1] != "--probe" {
			s.must("new-user", "young", "--approve", "--dir", "D")
		}
		verdicts, sentences := verdictsOf(t, s.must(arguments...).Stdout)
		for _, name := range []string{"client-authority", "client-certificates"} {
			if verdicts[name] != "pass" {
				t.Errorf("%q: %s is %q: %s", arguments, name, verdicts[name], sentences[name])
			}
		}
	}
}
