package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// renew --exec takes a pair out of a kubeconfig, so that all that could go wrong has to be
// seen before.

func TestRenewExec_RenewExecChangesNothingWhereThePairCouldNotBeRenewed(t *testing.T) {
	unchangedBy := func(s *session, want expect, arguments ...string) {
		t.Helper()
		before := string(s.read("config"))
		s.check(s.run(append([]string{"renew", "--exec"}, arguments...)...), want)
		if string(s.read("config")) != before {
			t.Errorf("%q changed the kubeconfig", arguments)
		}
		if _, exists := s.readIfThere(".kube", "csr-onboard"); exists {
			t.Errorf("%q left something", arguments)
		}
	}
	t.Run("for system:masters", func(t *testing.T) {
		s := holder(t, shared, identity.User{Name: "exec-masters", Groups: []string{"system:masters"}}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		unchangedBy(s, expect{6, []string{"system-group", "kubeadm certs renew"}})
		unchangedBy(s, expect{6, []string{"system-group"}}, "--all", "--within", "1m")
	})
	t.Run("without the permission", func(t *testing.T) {
		s := ending(t, "exec-forbidden")
		s.admin().must("offboard", "exec-forbidden", "--yes")
		unchangedBy(s, expect{1, []string{"cannot renew", "grant exec-forbidden --renewable"}}, "--within", "1s")
	})
	t.Run("without a server", func(t *testing.T) {
		s := ending(t, "exec-away")
		config := s.load("config")
		for _, cluster := range config.Clusters {
			cluster.Server = "https://127.0.0.1:1"
		}
		if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
			t.Fatal(err)
		}
		unchangedBy(s, expect{1, []string{"cannot be reached"}}, "--within", "1s")
	})
}

// TestRenewExec_EachSetOfGroupsHasACacheOfItsOwn has one user in two kubeconfigs, who is in other
// groups in each.
func TestRenewExec_EachSetOfGroupsHasACacheOfItsOwn(t *testing.T) {
	// Not to be renewed while the test continues.
	begin, end := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	s := holder(t, shared, identity.User{Name: "exec-groups", Groups: []string{"dev"}}, begin, end)
	config := s.load("config")
	dev := config.Contexts[config.CurrentContext]
	other := holder(t, shared, identity.User{Name: "exec-groups", Groups: []string{"ops"}}, begin, end).load("config")
	config.AuthInfos["ops"] = other.AuthInfos[other.Contexts[other.CurrentContext].AuthInfo]
	config.Contexts["ops"] = &clientcmdapi.Context{Cluster: dev.Cluster, AuthInfo: "ops"}
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.must("renew", "--all", "--exec", "--within", "1s")
	for context, group := range map[string]string{config.CurrentContext: "dev", "ops": "ops"} {
		who := s.kubectl("--context", context, "auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}")
		if want := `["` + group + `","system:authenticated"]`; who.Stdout != want {
			t.Errorf("%s is in %s, want %s\n%s", context, who.Stdout, want, who.Stderr)
		}
	}
}

// TestRenewExec_AKeptPairStaysInACacheOnlyIfItLogsIn has a pair in the cache that ends later than
// the one that comes, and is of an authority that the API server does not trust (any
// more).
func TestRenewExec_AKeptPairStaysInACacheOnlyIfItLogsIn(t *testing.T) {
	s := ending(t, "exec-kept")
	embedded := string(s.read("config"))
	inCache(s)
	cache := store.CredentialCacheAt(s.cache())
	user := identity.User{Name: "exec-kept", Groups: []string{"dev"}}
	foreign := namesake(t, authorityFor(t, s.plane))
	for name, test := range map[string]struct {
		by   *authority
		kept bool
	}{
		"of another authority": {foreign, false},
		"that logs in":         {authorityFor(t, s.plane), true},
	} {
		config := s.loadFrom(cache.KubeconfigPath())
		for _, entry := range config.AuthInfos {
			key, err := pki.ParseKey(entry.ClientKeyData)
			if err != nil {
				t.Fatal(err)
			}
			entry.ClientCertificateData = test.by.sign(t, user, key.Public(), time.Now().Add(-time.Hour), time.Now().Add(100*time.Hour))
		}
		if err := clientcmd.WriteToFile(*config, cache.KubeconfigPath()); err != nil {
			t.Fatal(err)
		}
		s.write("config", embedded)
		result := s.must("renew", "--exec", "--within", "1s")
		if kept := strings.Contains(result.Stderr, "it is kept"); kept != test.kept {
			t.Errorf("a pair %s: kept is %v\n%s", name, kept, result.Stderr)
		}
		if who := s.whoami(); who.Stdout != "exec-kept" {
			t.Errorf("a pair %s: nobody logs in: %q\n%s", name, who.Stdout, who.Stderr)
		}
	}
}

// TestRenewExec_ACacheFollowsItsContextWhereThatIsWanted has an API server that has got another
// address.
func TestRenewExec_ACacheFollowsItsContextWhereThatIsWanted(t *testing.T) {
	s := cached(t, "exec-moved")
	approvesRequestsOf(t, s.client(), "exec-moved")
	cache := store.CredentialCacheAt(s.cache())
	config := s.loadFrom(cache.KubeconfigPath())
	for _, cluster := range config.Clusters {
		cluster.Server = "https://127.0.0.1:1"
	}
	if err := clientcmd.WriteToFile(*config, cache.KubeconfigPath()); err != nil {
		t.Fatal(err)
	}
	before := s.certificate("config")
	s.check(s.run("renew"), expect{1, []string{"was created for the API server https://127.0.0.1:1", "--move-cache"}})
	moved := s.must("renew", "--move-cache")
	if !strings.Contains(moved.Stderr, "it was for https://127.0.0.1:1") {
		t.Errorf("that the cache moved is not said:\n%s", moved.Stderr)
	}
	checkRenewed(s, before)
	for _, cluster := range s.loadFrom(cache.KubeconfigPath()).Clusters {
		if cluster.Server == "https://127.0.0.1:1" {
			t.Error("the cache still knows the address before")
		}
	}
}

func TestRenewExec_StatusFailsWhereACertificateCannotBeRead(t *testing.T) {
	s := ending(t, "status-unread")
	config := s.load("config")
	for _, user := range config.AuthInfos {
		user.ClientCertificateData, user.ClientCertificate = nil, "nowhere.crt"
	}
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.must("status")
	s.check(s.run("status", "--fail-within", "1m"), expect{1, []string{"it is unknown until when", "status-unread@csr-onboard"}})
}

func TestRenewExec_ARenewalWithAForeignFileInItsDirectoryComesToItsEnd(t *testing.T) {
	s := ending(t, "renew-littered")
	s.must("renew", "--wait=false")
	s.admin().must("approve", "renew-littered", "--yes")
	entries, err := os.ReadDir(s.path(".kube", "csr-onboard", "renewals"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			s.write(".kube/csr-onboard/renewals/"+entry.Name()+"/.DS_Store", "")
		}
	}
	if renewed := s.must("renew"); renewed.Stdout != "renew-littered@csr-onboard renewed\n" {
		t.Errorf("%s%s", renewed.Stdout, renewed.Stderr)
	}
}
