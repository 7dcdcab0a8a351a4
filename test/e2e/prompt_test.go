package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

func TestPrompt_ApproveAsksAtATerminal(t *testing.T) {
	for _, test := range []struct {
		user, typed string
		code        int
		state       request.State
	}{
		{"dora", "y\r", 0, request.Approved},
		{"dirk", "n\r", 1, request.Pending},
		{"dana", "\r", 1, request.Pending},
		{"dean", "\x03", 1, request.Pending},
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
			if test.code != 0 && !strings.Contains(screen, "was not approved: you said no") {
				t.Errorf("the refusal is not said:\n%s", screen)
			}
		})
	}
}

func TestPrompt_ChoosingFromAListAtATerminal(t *testing.T) {
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	for _, user := range []string{"kim", "kurt"} {
		s.must("new-user", user, "--dir", user)
	}
	screen, code := dialogue(t, s, []turn{
		{menu: true, when: "Which requests do you want to look at", typed: arrowRight, until: "[x]"},
		{menu: true, when: "kurt", typed: "\r", until: "Approve the request of kim?"},
		{when: "Approve the request of kim?", typed: "y\r", until: "Approve the request of kurt?"},
		{when: "Approve the request of kurt?", typed: "n\r"},
	}, "approve")
	if code != 1 || !strings.Contains(screen, "was not approved: you said no") {
		t.Errorf("exit code %d\n%s", code, screen)
	}
	if listed := s.must("list", "--no-headers").Stdout; strings.Count(listed, "Approved") != 1 || strings.Count(listed, "Pending") != 1 {
		t.Errorf("the requests are:\n%s", listed)
	}

	for _, typed := range []string{"\r", "\x03"} {
		screen, code := dialogue(t, s, []turn{{menu: true, when: "Which requests do you want to look at", typed: typed}}, "approve")
		if code != 1 || !strings.Contains(screen, "nothing was approved: you chose no request") {
			t.Errorf("typing %q: exit code %d\n%s", typed, code, screen)
		}
	}
}

func TestPrompt_ASignalEndsAQuestion(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "doug", "--dir", "D")
	screen, code := dialogue(t, s, []turn{{when: "Approve the request of doug?", signal: syscall.SIGTERM}}, "approve", "doug")
	if code != 130 || !strings.Contains(screen, "interrupted while asking") {
		t.Errorf("exit code %d\n%s", code, screen)
	}
	if state := request.StateOf(s.object(printed.Stdout)); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
}

// arrowRight marks everything in a survey menu.
const arrowRight = "\x1b[C"

// cursorQuestions is how often survey asks where the cursor is before it reads
// the answer to a question: for the terminal's size, and for its own position. What
// is typed before is lost. Menus do not ask.
const cursorQuestions = 2

// rows and columns are the size of the terminal.
const rows, columns = 40, 200

// turn is what a person at a terminal does when something is on their screen.
type turn struct {
	when string
	// menu says that it is a menu, and not a question.
	menu bool
	// first is done once before anything is typed. Optional.
	first func()
	// typed is typed again and again until the program ends or until is on the
	// screen: survey loses what comes right behind the terminal's own answers, and
	// nothing tells when it has read those.
	typed, until string
	// signal is sent in place of typing. Optional.
	signal syscall.Signal
}

// atTerminal runs the program on a pseudo-terminal, types when the question is
// there, and returns all that was written to the screen and the exit code.
func atTerminal(t *testing.T, s *session, question, typed string, arguments ...string) (screen string, code int) {
	t.Helper()
	return dialogue(t, s, []turn{{when: question, typed: typed}}, arguments...)
}

// dialogue is atTerminal with several turns.
func dialogue(t *testing.T, s *session, turns []turn, arguments ...string) (screen string, code int) {
	t.Helper()
	return converse(t, s, "", turns, arguments...)
}

// typingAhead is atTerminal by somebody who has typed before there is a question.
func typingAhead(t *testing.T, s *session, typed string, then turn, arguments ...string) (screen string, code int) {
	t.Helper()
	return converse(t, s, typed, []turn{then}, arguments...)
}

func converse(t *testing.T, s *session, ahead string, turns []turn, arguments ...string) (screen string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := s.env.Command(ctx, program.Name, arguments...)
	command.Env = append(command.Env, "TERM=xterm")
	terminal, err := pty.StartWithSize(command, &pty.Winsize{Rows: rows, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close() //nolint:errcheck // Nothing is lost.
	if _, err := io.WriteString(terminal, ahead); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	answered, awaited := 0, 0
	stopTyping := func() {}
	defer func() { stopTyping() }()
	buffer := make([]byte, 4096)
	var current *turn
	for {
		n, err := terminal.Read(buffer)
		seen.Write(buffer[:n])
		// A terminal answers the question where its cursor is: first in the
		// far corner, to learn the size, and then behind the question.
		for ; answered < bytes.Count(seen.Bytes(), []byte("\x1b[6n")); answered++ {
			_, _ = fmt.Fprintf(terminal, "\x1b[%d;%dR", rows-answered%cursorQuestions, columns-answered%cursorQuestions)
		}
		if current != nil && current.until != "" && strings.Contains(seen.String(), current.until) {
			stopTyping()
			current = nil
		}
		if current == nil && len(turns) > 0 && strings.Contains(seen.String(), turns[0].when) && (turns[0].menu || answered >= awaited+cursorQuestions) {
			current, turns = &turns[0], turns[1:]
			if !current.menu {
				awaited += cursorQuestions
			}
			if current.first != nil {
				current.first()
			}
			if current.signal != 0 {
				_ = command.Process.Signal(current.signal)
			} else {
				typing, stop := context.WithCancel(ctx)
				stopTyping = stop
				go program.TypeUntil(typing, terminal, current.typed)
			}
		}
		if err != nil {
			break
		}
	}
	_ = command.Wait()
	return seen.String(), command.ProcessState.ExitCode()
}
