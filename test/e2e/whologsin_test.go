package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
)

// An API server names nobody else than the certificate's user. A front does.

// misnames has everybody but the administrator be told that they are mallory.
func misnames() *hostile.Rule {
	return &hostile.Rule{Path: whoAmI, Do: hostile.Edit(hostile.NamedUser("mallory")), When: func(call *http.Request) bool {
		certificate := hostile.CertificateOf(call)
		return certificate != nil && certificate.Subject.CommonName != "administrator"
	}}
}

func TestWhoLogsIn_ACertificateOfSomebodyElseIsNotWritten(t *testing.T) {
	s := newSession(t, shared)
	front := s.behindFront(misnames())
	misnamed := func(user string) expect {
		return expect{1, []string{`the cluster accepts the new certificate as "mallory", not as "` + user + `"`}}
	}
	t.Run("fetch", func(*testing.T) {
		s.must("new-user", "named-fetch", "--dir", "D")
		s.must("approve", "named-fetch", "--yes")
		s.check(s.run("fetch", "named-fetch", "--dir", "D"), misnamed("named-fetch"))
	})
	t.Run("fetch --merge", func(t *testing.T) {
		before := string(s.read("config"))
		s.must("new-user", "named-merge", "--dir", "D")
		s.must("approve", "named-merge", "--yes")
		s.check(s.run("fetch", "named-merge", "--dir", "D", "--merge"), misnamed("named-merge"))
		if string(s.read("config")) != before {
			t.Error("the kubeconfig was changed")
		}
	})
	t.Run("new-user --approve", func(*testing.T) {
		s.check(s.run("new-user", "named-approve", "--approve", "--dir", "D"), misnamed("named-approve"))
	})
	t.Run("a team", func(t *testing.T) {
		writeTeam(s, "named-team", 3)
		result := s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "D", "-o", "json")
		s.check(result, expect{1, []string{"3 users: 3 not onboarded"}})
		for _, user := range reportOf(t, result).Users {
			if user.State != "failed" || !strings.Contains(user.Error, `accepts the new certificate as "mallory"`) {
				t.Errorf("%+v", user)
			}
		}
	})
	t.Run("fetch --from", func(t *testing.T) {
		user := withoutCluster(t, shared)
		user.must("new-user", "named-handoff", "--offline", "--dir", ".")
		bring(user, s, "named-handoff.csr")
		s.must(append(s.byFingerprint("named-handoff.csr"), "--out", "handoff")...)
		bring(s, user, "handoff")
		trusted := []string{"--ca-fingerprint", pki.AuthorityFingerprint(front.Certificate())}
		user.refusesHandoff("named-handoff", misnamed("named-handoff"), trusted...)
	})
	if listing := s.listing("D"); strings.Contains(listing, ".kubeconfig\n") {
		t.Errorf("a kubeconfig was written:\n%s", listing)
	}

	// It was the name alone.
	front.Follow()
	s.must("fetch", "named-fetch", "--dir", "D")
	s.must("new-user", "-f", "team.yaml", "--approve", "--dir", "D")
}

func TestWhoLogsIn_APairThatIsAcceptedAsSomebodyElseIsNotRenewed(t *testing.T) {
	s := ending(t, "named-renew")
	front := s.behindFront(misnames())
	before := string(s.read("config"))
	for _, arguments := range [][]string{{"renew", "--timeout", "1s"}, {"renew", "--wait=false"}, {"renew", "--exec", "--within", "1s"}} {
		s.check(s.run(arguments...), expect{1, []string{`the cluster accepts the certificate of "named-renew" as "mallory"`, "hint: nothing was changed; is "}})
	}
	if string(s.read("config")) != before {
		t.Error("the kubeconfig was changed")
	}
	if n := len(submittedBy(t, s.client(), "named-renew")); n != 0 {
		t.Errorf("%d requests were submitted", n)
	}
	nothingMade(s)
	front.Follow()
	s.must("renew", "--wait=false")
}

// TestWhoLogsIn_ACachedPairOfSomebodyElseIsNotKept has a cache hold a pair that expires later
// than the one that comes, and that the server accepts as somebody else.
func TestWhoLogsIn_ACachedPairOfSomebodyElseIsNotKept(t *testing.T) {
	s := ending(t, "named-cache")
	front := s.behindFront()
	embedded, present := string(s.read("config")), s.certificate("config").Leaf
	inCache(s)
	approvesRequestsOf(t, s.client(), "named-cache")
	s.must("renew")
	renewed := s.certificate("config").Leaf
	if renewed.Equal(present) {
		t.Fatal("nothing was renewed")
	}
	s.write("config", embedded)
	front.Follow(&hostile.Rule{Path: whoAmI, Do: hostile.Edit(hostile.NamedUser("mallory")), When: func(call *http.Request) bool {
		return hostile.CertificateOf(call).Equal(renewed)
	}})
	if result := s.must("renew", "--exec", "--within", "1s"); strings.Contains(result.Stderr, "it is kept") {
		t.Errorf("a pair of somebody else is kept:\n%s", result.Stderr)
	}
	front.Follow()
	if !s.certificate("config").Leaf.Equal(present) {
		t.Error("the cache does not hold the pair of the kubeconfig")
	}
	s.until("the pair logs in", func() bool { return time.Now().Before(present.NotAfter) && s.whoami().Stdout == "named-cache" })
}

// TestWhoLogsIn_GroupsThatTheClusterDoesNotKnowAreNotAskedForAgain has the cluster know a user in
// one of two groups only.
func TestWhoLogsIn_GroupsThatTheClusterDoesNotKnowAreNotAskedForAgain(t *testing.T) {
	user := identity.User{Name: "named-lost", Groups: []string{"dev", "ops"}}
	s := holder(t, shared, user, time.Now().Add(-time.Hour), time.Now().Add(8*time.Minute))
	approvesRequestsOf(t, s.client(), user.Name)
	s.behindFront(&hostile.Rule{Path: whoAmI, Do: hostile.Edit(hostile.InGroups("dev", "system:authenticated"))})
	renewed := s.must("renew")
	if !strings.Contains(renewed.Stderr, "ops") {
		t.Errorf("that a group is lost is not said:\n%s", renewed.Stderr)
	}
	for _, object := range submittedBy(t, s.client(), user.Name) {
		asked, err := pki.DecodeRequest(object.Spec.Request)
		if err != nil {
			t.Fatal(err)
		}
		if groups := asked.User().Groups; !slices.Equal(groups, []string{"dev"}) {
			t.Errorf("the groups %q are asked for", groups)
		}
	}
	if groups := s.certificate("config").User().Groups; !slices.Equal(groups, []string{"dev"}) {
		t.Errorf("the new certificate is in %q", groups)
	}
}
