package e2e

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
)

// A renewal promises that the kubeconfig has a pair that logs in, whatever an API server
// says of the new one.

// whoAmI is the path of the question by which a login is proven.
const whoAmI = "/selfsubjectreviews"

var unauthorized = hostile.Status(http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")

// renewalBehindFront is a holder whose requests are approved, behind a front. isNew says which
// calls are made with another certificate than the one that is in the kubeconfig now.
func renewalBehindFront(t *testing.T, user string) (s *session, front *hostile.Front, isNew func(*http.Request) bool) {
	t.Helper()
	s = ending(t, user)
	approvesRequestsOf(t, s.client(), user)
	present := s.certificate("config").Leaf
	isNew = func(call *http.Request) bool {
		certificate := hostile.CertificateOf(call)
		return certificate != nil && !certificate.Equal(present)
	}
	return s, s.behindFront(), isNew
}

func TestRenewalPromise_APairThatDoesNotLogInReplacesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		answer hostile.Answer
		says   string
	}{
		"refused":  {unauthorized, `logging in as "promise-refused" failed`},
		"misnamed": {hostile.Edit(hostile.NamedUser("mallory")), `accepts the new certificate as "mallory", not as "promise-misnamed"`},
		"unasked":  {hostile.Drop, `logging in as "promise-unasked" failed`},
	} {
		t.Run(name, func(t *testing.T) {
			user := "promise-" + name
			s, front, isNew := renewalBehindFront(t, user)
			front.Follow(&hostile.Rule{Path: whoAmI, When: isNew, Do: test.answer})
			before, present := s.read("config"), s.certificate("config")

			s.check(s.run("renew"), expect{1, []string{test.says, "hint: the present certificate stays in use; try again with: kubectl csr-onboard renew " + user + "@csr-onboard"}})
			if !bytes.Equal(s.read("config"), before) {
				t.Error("the kubeconfig was changed")
			}
			if who := whoIs(t, s.path("config")); who != user {
				t.Errorf("the present certificate logs in as %q", who)
			}

			front.Follow()
			s.must("renew")
			checkRenewed(s, present)
			nothingWaits(s)
			requests := submittedBy(t, s.client(), user)
			if len(requests) != 1 {
				t.Fatalf("there are %d requests", len(requests))
			}
			asked, err := pki.DecodeRequest(requests[0].Spec.Request)
			if err != nil {
				t.Fatal(err)
			}
			if !pki.SamePublicKey(asked.PublicKey, s.certificate("config").Leaf.PublicKey) {
				t.Error("the second run did not continue with the key of the first")
			}
		})
	}
}

// TestRenewalPromise_APairThatIsRefusedInPlaceIsPutBack has the new certificate log in from
// memory, and no more when it is in the kubeconfig.
func TestRenewalPromise_APairThatIsRefusedInPlaceIsPutBack(t *testing.T) {
	for name, answer := range map[string]hostile.Answer{
		"refused":  unauthorized,
		"misnamed": hostile.Edit(hostile.NamedUser("mallory")),
	} {
		t.Run(name, func(t *testing.T) {
			user := "place-" + name
			s, front, isNew := renewalBehindFront(t, user)
			var standing *pki.Certificate
			look := func() { standing = s.certificate("config") }
			front.Follow(&hostile.Rule{Path: whoAmI, When: isNew, After: 1, Do: hostile.First(look, answer)})
			before, present := s.load("config"), s.certificate("config")

			s.check(s.run("renew"), expect{1, []string{"hint: the present certificate was put back; try again with: kubectl csr-onboard renew " + user + "@csr-onboard"}})
			if standing == nil || bytes.Equal(standing.SHA256(), present.SHA256()) {
				t.Fatal("the new certificate was not tried from the kubeconfig")
			}
			if diff := cmp.Diff(before, s.load("config")); diff != "" {
				t.Errorf("the kubeconfig was changed:\n%s", diff)
			}
			if previous := s.certificate(s.previous()); !bytes.Equal(previous.SHA256(), present.SHA256()) {
				t.Error("what is kept is another pair")
			}

			front.Follow()
			s.must("renew")
			checkRenewed(s, present)
			nothingWaits(s)
			if n := len(submittedBy(t, s.client(), user)); n != 1 {
				t.Errorf("there are %d requests", n)
			}
		})
	}
}

// previous is the kubeconfig in which a renewal keeps the pair that it replaces, within the
// session's directory.
func (s *session) previous() string {
	s.t.Helper()
	found, err := filepath.Glob(s.path(".kube", "csr-onboard", "renewals", "*", "*.previous.kubeconfig"))
	if err != nil || len(found) != 1 {
		s.t.Fatalf("the pair before is kept in %q, %v", found, err)
	}
	relative, err := filepath.Rel(s.env.Directory, found[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return relative
}

// TestRenewalPromise_APairThatCannotBePutBackIsKept has another program change the entry
// while the new certificate is refused.
func TestRenewalPromise_APairThatCannotBePutBackIsKept(t *testing.T) {
	const user = "promise-kept"
	s, front, isNew := renewalBehindFront(t, user)
	present := s.certificate("config")
	var others string
	change := func() {
		config := s.load("config")
		for _, entry := range config.AuthInfos {
			key, err := pki.ParseKey(entry.ClientKeyData)
			if err != nil {
				t.Error(err)
				return
			}
			entry.ClientCertificateData = authorityFor(t, shared).sign(t, identity.User{Name: user}, key.Public(), time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
		}
		if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
			t.Error(err)
		}
		others = string(s.read("config"))
	}
	front.Follow(&hostile.Rule{Path: whoAmI, When: isNew, After: 1, Do: hostile.First(change, unauthorized)})

	result := s.run("renew")
	previous := s.previous()
	s.check(result, expect{5, []string{"does not accept these credentials; the kubeconfig was not written", "hint: the certificate before it is kept in " + s.path(previous)}})
	if string(s.read("config")) != others {
		t.Error("what the other program wrote was changed")
	}
	if !bytes.Equal(s.certificate(previous).SHA256(), present.SHA256()) {
		t.Error("what is kept is another pair")
	}
	front.Follow()
	if who := whoIs(t, s.path(previous)); who != user {
		t.Errorf("the pair that is kept logs in as %q", who)
	}
}

// TestRenewalPromise_AServerThatIsAwayForTheProofCostsNothing has the connection break when
// the new certificate is in the kubeconfig, where it stays: it has logged in from memory.
func TestRenewalPromise_AServerThatIsAwayForTheProofCostsNothing(t *testing.T) {
	const user = "promise-away"
	s, front, isNew := renewalBehindFront(t, user)
	present := s.certificate("config")
	front.Follow(&hostile.Rule{Path: whoAmI, When: isNew, After: 1, Do: hostile.Drop})

	result := s.run("renew")
	previous := s.previous()
	s.check(result, expect{1, []string{"could not be tried there", "hint: the one before it is kept in " + s.path(previous) + " until the next renewal"}})
	front.Follow()
	checkRenewed(s, present)
	if !bytes.Equal(s.certificate(previous).SHA256(), present.SHA256()) {
		t.Error("what is kept is another pair")
	}
	if who := whoIs(t, s.path(previous)); who != user {
		t.Errorf("the pair that is kept logs in as %q", who)
	}
	// The next renewal tidies up.
	s.must("renew")
	nothingWaits(s)
}

// TestRenewalPromise_ARunThatIsKilledBeforeTheProofKeepsThePairBefore has the API server not
// answer for the new certificate as soon as it is in the kubeconfig, and kills each run at a
// random moment: the pair before is in the kubeconfig, or kept, and logs in.
func TestRenewalPromise_ARunThatIsKilledBeforeTheProofKeepsThePairBefore(t *testing.T) {
	const user = "promise-killed"
	s, front, isNew := renewalBehindFront(t, user)
	present, before := s.certificate("config"), string(s.read("config"))
	// The first run shows how long it takes to get there.
	arrived := make(chan struct{}, 1)
	inPlace := &hostile.Rule{Path: whoAmI, When: func(call *http.Request) bool {
		return isNew(call) && hostile.CertificateOf(call).Equal(s.certificate("config").Leaf)
	}, Do: hostile.First(func() {
		select {
		case arrived <- struct{}{}:
		default:
		}
	}, hostile.Silent)}
	front.Follow(inPlace)
	begin := time.Now()
	first := start(s, "renew")
	select {
	case <-arrived:
	case <-time.After(patience):
		t.Fatal("the new certificate is not tried from the kubeconfig")
	}
	whole := time.Since(begin)
	if err := first.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.end()

	replaced := 0
	for range 20 {
		if !bytes.Equal(s.certificate("config").SHA256(), present.SHA256()) {
			replaced++
			previous := s.previous()
			if !bytes.Equal(s.certificate(previous).SHA256(), present.SHA256()) {
				t.Fatal("what is kept is another pair")
			}
			if who := whoIs(t, s.path(previous)); who != user {
				t.Fatalf("the pair that is kept logs in as %q", who)
			}
			// The user takes the pair before back.
			s.write("config", before)
		} else if who := whoIs(t, s.path("config")); who != user {
			t.Fatalf("the pair in the kubeconfig logs in as %q", who)
		}
		s.env.KillAfter(t, time.Duration(rand.Int64N(int64(whole))), "renew") //nolint:gosec // Nothing secret.
	}
	t.Logf("%d of 20 runs were killed when the new certificate was in the kubeconfig", replaced)

	front.Follow()
	s.must("renew")
	checkRenewed(s, present)
	nothingWaits(s)
	if n := len(submittedBy(t, s.client(), user)); n > 2 {
		t.Errorf("there are %d requests", n)
	}
}
