package e2e

import (
	"strings"
	"syscall"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

func TestPrompt_ApproveAsksAtATerminal(t *testing.T) {
	for _, test := range []struct {
		user, typed string
		code        int
		says        string
		state       request.State
	}{
		{"dora", "y\r", 0, "approved", request.Approved},
		{"dirk", "n\r", 1, "was not approved: you said no", request.Pending},
		{"dana", "\r", 1, "was not approved: you said no", request.Pending},
		{"dave", ctrlD, 1, "was not approved: you said no", request.Pending},
		{"dean", ctrlC, 130, "error: interrupted while asking", request.Pending},
	} {
		t.Run(test.user+" typed "+strings.TrimSpace(test.typed), func(t *testing.T) {
			s := newSession(t, shared)
			printed := s.must("new-user", test.user, "--dir", "D")
			screen, code := atTerminal(t, s, "Approve the request of "+test.user+"?", test.typed, "approve", test.user)
			if code != test.code {
				t.Errorf("exit code %d, want %d\n%s", code, test.code, screen)
			}
			state := request.StateOf(s.object(printed.Stdout))
			if state == request.Issued {
				state = request.Approved
			}
			if state != test.state {
				t.Errorf("the request is %s, want %s", state, test.state)
			}
			if review := strings.Index(screen, "fingerprint   SHA256:"); review < 0 || review > strings.Index(screen, "Approve the request") {
				t.Errorf("the request was not shown before the question:\n%s", screen)
			}
			if !strings.Contains(screen, test.says) || test.code == 130 && strings.Contains(screen, "you said") {
				t.Errorf("%q is not said:\n%s", test.says, screen)
			}
		})
	}
}

func TestPrompt_ChoosingFromAListAtATerminal(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	for _, user := range []string{"kim", "kurt"} {
		s.must("new-user", user, "--dir", user)
	}
	screen, code := terminal.Run(t, s.env, []terminal.Turn{
		{Menu: true, When: "Which requests do you want to look at", Typed: arrowRight, Until: "[x]"},
		{Menu: true, When: "kurt", Typed: "\r", Until: "Approve the request of kim?"},
		{When: "Approve the request of kim?", Typed: "y\r", Until: "Approve the request of kurt?"},
		{When: "Approve the request of kurt?", Typed: "n\r"},
	}, "approve")
	if code != 1 || !strings.Contains(screen, "was not approved: you said no") {
		t.Errorf("exit code %d\n%s", code, screen)
	}
	if listed := s.must("list", "--no-headers").Stdout; strings.Count(listed, "Approved") != 1 || strings.Count(listed, "Pending") != 1 {
		t.Errorf("the requests are:\n%s", listed)
	}

	for typed, want := range map[string]expect{
		"\r":  {1, []string{"nothing was approved: you chose no request"}},
		ctrlD: {1, []string{"nothing was approved: you chose no request"}},
		ctrlC: {130, []string{"error: interrupted while asking"}},
	} {
		screen, code := terminal.Run(t, s.env, []terminal.Turn{{Menu: true, When: "Which requests do you want to look at", Typed: typed}}, "approve")
		if code != want.code || !strings.Contains(screen, want.stderr[0]) {
			t.Errorf("typing %q: exit code %d\n%s", typed, code, screen)
		}
	}
}

func TestPrompt_ASignalEndsAQuestion(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "doug", "--dir", "D")
	screen, code := terminal.Run(t, s.env, []terminal.Turn{{When: "Approve the request of doug?", Signal: syscall.SIGTERM}}, "approve", "doug")
	if code != 130 || !strings.Contains(screen, "interrupted while asking") {
		t.Errorf("exit code %d\n%s", code, screen)
	}
	if state := request.StateOf(s.object(printed.Stdout)); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
}

const (
	// arrowRight marks everything in a survey menu.
	arrowRight = "\x1b[C"
	ctrlC      = "\x03"
	ctrlD      = "\x04"
)

// atTerminal runs the program on a pseudo-terminal, types when the question is
// there, and returns all that was written to the screen and the exit code.
func atTerminal(t *testing.T, s *session, question, typed string, arguments ...string) (screen string, code int) {
	t.Helper()
	return terminal.Run(t, s.env, []terminal.Turn{{When: question, Typed: typed}}, arguments...)
}
