package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// expired is a user whose certificate has expired a minute ago.
func expired(t *testing.T, user identity.User) *session {
	t.Helper()
	return holder(t, shared, user, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
}

func TestExpired_ACertificateThatHasExpiredIsNamedByEveryCommand(t *testing.T) {
	in := func(name string) *session { return expired(t, identity.User{Name: name, Groups: []string{"dev"}}) }
	inFiles := in("expired-files")
	config := inFiles.load("config")
	for _, user := range config.AuthInfos {
		for file, data := range map[string][]byte{"own.crt": user.ClientCertificateData, "own.key": user.ClientKeyData} {
			if err := os.WriteFile(inFiles.path(file), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		user.ClientCertificateData, user.ClientKeyData = nil, nil
		user.ClientCertificate, user.ClientKey = inFiles.path("own.crt"), inFiles.path("own.key")
	}
	if err := clientcmd.WriteToFile(*config, inFiles.path("config")); err != nil {
		t.Fatal(err)
	}
	inItsCache := ending(t, "expired-cache")
	inCache(inItsCache)
	path := filepath.Join(inItsCache.cache(), "kubeconfig")
	cache := inItsCache.loadFrom(path)
	for _, user := range cache.AuthInfos {
		user.ClientCertificateData = authorityFor(t, shared).sign(t, identity.User{Name: "expired-cache", Groups: []string{"dev"}},
			inItsCache.certificate("config").Leaf.PublicKey, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
	}
	if err := clientcmd.WriteToFile(*cache, path); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*session{"expired-embedded": in("expired-embedded"), "expired-files": inFiles, "expired-cache": inItsCache} {
		for _, arguments := range [][]string{{"list"}, {"doctor"}, {"new-user", "somebody", "--dir", "D"}, {"approve", "somebody", "--yes"}, {"fetch", "somebody"}, {"grant", "somebody", "--clusterrole", "view"}} {
			result := s.run(arguments...)
			if name == "expired-cache" {
				// The credential plugin has said it before.
				result.Stderr = result.Stderr[strings.LastIndex(result.Stderr, "\nerror: ")+1:]
			}
			s.check(result, expect{1, []string{
				`the client certificate of "` + name + `" in the context "` + name + `@csr-onboard" expired 20`, "this machine's clock says 20",
				"new-user " + name + " -g dev --offline", "--context NAME",
			}})
			if t.Failed() {
				t.Fatalf("%s: %q", name, arguments)
			}
		}
	}
}

func TestExpired_AnExpiredCertificateForSystemMastersIsRenewedElsewhere(t *testing.T) {
	s := expired(t, identity.User{Name: "kubernetes-admin", Groups: []string{"system:masters"}})
	for _, command := range []string{"renew", "list"} {
		result := s.run(command)
		s.check(result, expect{1, []string{"kubeadm certs renew admin.conf"}})
		s.saysNot(result.Stderr, "new-user")
	}
}

func TestExpired_NoCredentialsAreSaidInWords(t *testing.T) {
	s := newSession(t, shared)
	config := s.loadFrom(s.env.Kubeconfig)
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	}
	if err := clientcmd.WriteToFile(*config, s.path("nobody.kubeconfig")); err != nil {
		t.Fatal(err)
	}
	s.env.Kubeconfig = s.path("nobody.kubeconfig")
	for _, arguments := range [][]string{{"list"}, {"doctor"}, {"new-user", "somebody", "--dir", "D"}} {
		result := s.run(arguments...)
		s.check(result, expect{1, []string{"the kubeconfig has no credentials for this context"}})
		s.saysNot(result.Stderr, "verb")
	}
}

// saysNot expects that a text is not in what a command wrote.
func (s *session) saysNot(written, text string) {
	s.t.Helper()
	if strings.Contains(written, text) {
		s.t.Errorf("it says %q:\n%s", text, written)
	}
}
