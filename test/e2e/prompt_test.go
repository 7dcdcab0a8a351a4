package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

func TestApproveAsksAtATerminal(t *testing.T) {
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

// cursorQuestions is how often survey asks where the cursor is before it reads
// what is typed: for the terminal's size, and for its own position. What is typed
// before is lost.
const cursorQuestions = 2

// rows and columns are the size of the terminal.
const rows, columns = 40, 200

// atTerminal runs the program on a pseudo-terminal, types when the question is
// there, and returns all that was written to the screen and the exit code.
func atTerminal(t *testing.T, s *session, question, typed string, arguments ...string) (screen string, code int) {
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
	var seen bytes.Buffer
	answered, asked := 0, false
	buffer := make([]byte, 4096)
	for {
		n, err := terminal.Read(buffer)
		seen.Write(buffer[:n])
		// A terminal answers the question where its cursor is: first in the
		// far corner, to learn the size, and then behind the question.
		for ; answered < bytes.Count(seen.Bytes(), []byte("\x1b[6n")); answered++ {
			_, _ = fmt.Fprintf(terminal, "\x1b[%d;%dR", rows-answered, columns-answered)
		}
		if !asked && answered == cursorQuestions && strings.Contains(seen.String(), question) {
			asked = true
			go typeUntil(ctx, terminal, typed)
		}
		if err != nil {
			break
		}
	}
	_ = command.Wait()
	return seen.String(), command.ProcessState.ExitCode()
}

// typeUntil types again and again until the program has ended: survey loses what
// comes right behind the terminal's own answers, and nothing tells when it has
// read those.
func typeUntil(ctx context.Context, terminal io.Writer, typed string) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := io.WriteString(terminal, typed); err != nil {
				return
			}
		}
	}
}
