package e2e

import (
	"net/http"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
)

// waitingTeam is a run that waits for the certificates of a team, whose requests it has
// submitted. They are by the users' names.
func waitingTeam(t *testing.T, s *session, users ...string) (*waitingRun, map[string]*certificatesv1.CertificateSigningRequest) {
	t.Helper()
	text := teamHeader
	for _, user := range users {
		text += "- {name: " + user + "}\n"
	}
	s.write("team.yaml", text)
	run := start(s, "new-user", "-f", "team.yaml", "--wait", "--timeout", "30s", "--dir", "T", "-o", "json")
	found := map[string]*certificatesv1.CertificateSigningRequest{}
	s.until("all requests are submitted", func() bool {
		for _, user := range users {
			for _, name := range requestNames(s) {
				if strings.HasPrefix(name, user+"-") {
					found[user] = s.object("x/" + name).CertificateSigningRequest
				}
			}
		}
		return len(found) == len(users)
	})
	return run, found
}

// TestTeamWaiting_WhatHappensToOneRequestIsItsOwnEnd has an administrator deny one request
// of a team that waits, fail one, delete one and replace one.
func TestTeamWaiting_WhatHappensToOneRequestIsItsOwnEnd(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	users := []string{"tw-good", "tw-denied", "tw-failed", "tw-deleted", "tw-replaced", "tw-fine"}
	run, of := waitingTeam(t, s, users...)
	deny(t, s, of["tw-denied"].Name, "who is this?")
	fail(t, s, of["tw-failed"].Name, "the signer is on fire")
	remove(t, s, of["tw-deleted"].Name)
	remove(t, s, of["tw-replaced"].Name)
	create(t, s, of["tw-replaced"].Name, identity.User{Name: "tw-replaced"})
	for _, name := range []string{of["tw-good"].Name, of["tw-replaced"].Name, of["tw-fine"].Name} {
		s.must("approve", name, "--yes")
	}
	checkTeamEnds(s, run, 3, map[string]string{
		"tw-denied": "was denied: who is this?", "tw-failed": "was failed: the signer is on fire",
		"tw-deleted": "was deleted while waiting for it", "tw-replaced": "was deleted",
	}, users...)
}

// TestTeamWaiting_AReplacedRequestIsNotTakenForItsOwn has the watch miss that a request was
// deleted, and another one of that name stand there when the server is asked again.
func TestTeamWaiting_AReplacedRequestIsNotTakenForItsOwn(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	front := s.behindFront()
	replaced := make(chan struct{})
	// The first watch hears nothing, and then that its version is too old.
	front.Follow(&hostile.Rule{When: hostile.IsWatch, Times: 1, Do: hostile.First(func() { <-replaced },
		hostile.Status(http.StatusGone, metav1.StatusReasonExpired, "too old resource version"))})
	users := []string{"tr-good", "tr-replaced"}
	run, of := waitingTeam(t, s, users...)
	admin := s.admin()
	remove(t, admin, of["tr-replaced"].Name)
	another := create(t, admin, of["tr-replaced"].Name, identity.User{Name: "tr-replaced"})
	for _, object := range of {
		admin.must("approve", object.Name, "--yes")
	}
	admin.until("the other request is issued", func() bool {
		return request.StateOf(admin.object("x/"+another.Name)) == request.Issued
	})
	close(replaced)
	checkTeamEnds(s, run, 5, map[string]string{"tr-replaced": `was deleted and recreated by "administrator"`}, users...)
}

// checkTeamEnds expects that those users failed who are named, each for its reason, and that
// the others have a kubeconfig.
func checkTeamEnds(s *session, run *waitingRun, code int, failed map[string]string, users ...string) {
	s.t.Helper()
	result := run.end()
	if result.Code != code {
		s.t.Errorf("exit code %d, want %d\n%s", result.Code, code, result.Stderr)
	}
	report := reportOf(s.t, result)
	if len(report.Users) != len(users) {
		s.t.Fatalf("the report is of %q", report.states())
	}
	for i, user := range report.Users {
		says, isFailed := failed[user.Name]
		switch {
		case user.Name != users[i]:
			s.t.Errorf("%q stands where %q should", user.Name, users[i])
		case isFailed && (user.State != "failed" || user.Kubeconfig != "" || !strings.Contains(user.Error, says)):
			s.t.Errorf("%+v", user)
		case isFailed && !strings.Contains(result.Stderr, "not onboarded: "+user.Name):
			s.t.Errorf("%s is not named:\n%s", user.Name, result.Stderr)
		case isFailed:
			if _, exists := s.readIfThere("T", user.Name+".kubeconfig"); exists {
				s.t.Errorf("%s has a kubeconfig", user.Name)
			}
		case user.State != "fetched":
			s.t.Errorf("%+v", user)
		default:
			if who := whoIs(s.t, s.path(user.Kubeconfig)); who != user.Name {
				s.t.Errorf("the kubeconfig of %s logs in as %q", user.Name, who)
			}
		}
	}
}

// TestTeamWaiting_AUserInAnAdministratorsGroupIsLeftOut has one group of a team be bound to
// cluster-admin, and one user's kubeconfig be in the way.
func TestTeamWaiting_AUserInAnAdministratorsGroupIsLeftOut(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.shell("kubectl create clusterrolebinding tg-admins --clusterrole=cluster-admin --group=tg-admins")
	s.write("team.yaml", teamHeader+"- {name: tg-plain, groups: [dev]}\n- {name: tg-mighty, groups: [tg-admins]}\n- {name: tg-hindered}\n")
	s.must("new-user", "tg-hindered", "--offline", "--dir", "T")
	s.write("T/tg-hindered.kubeconfig", "not a kubeconfig")
	s.until("the binding is seen", func() bool {
		create := s.run("new-user", "tg-probe", "-g", "tg-admins", "--approve", "--dir", "P")
		return create.Code == 6
	})

	result := s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T", "-o", "json")
	s.check(result, expect{6, []string{"not onboarded: tg-mighty", "admin-group", "not onboarded: tg-hindered", "T/tg-hindered.kubeconfig"}})
	if got, want := strings.Join(reportOf(t, result).states(), ", "), "tg-plain fetched, tg-mighty failed, tg-hindered failed"; got != want {
		t.Errorf("the users are %q, want %q", got, want)
	}
	for _, name := range requestNames(s) {
		if state := request.StateOf(s.object("x/" + name)); strings.HasPrefix(name, "tg-mighty-") && state != request.Pending {
			t.Errorf("the request of tg-mighty is %s", state)
		}
		if strings.HasPrefix(name, "tg-hindered-") {
			t.Errorf("a request was submitted for tg-hindered")
		}
	}
	if text := string(s.read("T", "tg-hindered.kubeconfig")); text != "not a kubeconfig" {
		t.Errorf("what was in the way is now %q", text)
	}
	if listing := s.listing("T"); strings.Contains(listing, "tg-mighty.kubeconfig") {
		t.Errorf("tg-mighty has a kubeconfig:\n%s", listing)
	}
}
