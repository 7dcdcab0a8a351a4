// Package terminal runs a program on a pseudo-terminal, and types what a person there would type.
package terminal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// cursorQuestions is how often survey asks where the cursor is before it reads
// the answer to a question: for the terminal's size, and for its own position. What
// is typed before is lost. Menus do not ask.
const cursorQuestions = 2

// rows and columns are the size of the terminal.
const rows, columns = 40, 200

// patience is how long a program at a terminal may take.
const patience = 2 * time.Minute

// Turn is what a person at a terminal does when something is on their screen.
type Turn struct {
	When string
	// Menu says that it is a menu, and not a question.
	Menu bool
	// First is done once before anything is typed. Optional.
	First func()
	// Typed is typed again and again until the program ends or Until is on the
	// screen: survey loses what comes right behind the terminal's own answers, and
	// nothing tells when it has read those.
	Typed, Until string
	// Signal is sent in place of typing. Optional.
	Signal syscall.Signal
}

// Run runs the program with turns, each of which begins after the one before it has ended, and
// returns all that was written to the screen and the exit code.
func Run(t *testing.T, environment program.Environment, turns []Turn, arguments ...string) (screen string, code int) {
	t.Helper()
	return RunTypedAhead(t, environment, "", turns, arguments...)
}

// RunTypedAhead is Run by a person who has typed something before the program shows anything.
func RunTypedAhead(t *testing.T, environment program.Environment, ahead string, turns []Turn, arguments ...string) (screen string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := environment.Command(ctx, program.Name, arguments...)
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
	var current *Turn
	for {
		n, err := terminal.Read(buffer)
		seen.Write(buffer[:n])
		// A terminal answers the question where its cursor is: first in the
		// far corner, to learn the size, and then behind the question.
		for ; answered < bytes.Count(seen.Bytes(), []byte("\x1b[6n")); answered++ {
			_, _ = fmt.Fprintf(terminal, "\x1b[%d;%dR", rows-answered%cursorQuestions, columns-answered%cursorQuestions)
		}
		if current != nil && current.Until != "" && strings.Contains(seen.String(), current.Until) {
			stopTyping()
			current = nil
		}
		if current == nil && len(turns) > 0 && strings.Contains(seen.String(), turns[0].When) && (turns[0].Menu || answered >= awaited+cursorQuestions) {
			current, turns = &turns[0], turns[1:]
			if !current.Menu {
				awaited += cursorQuestions
			}
			if current.First != nil {
				current.First()
			}
			if current.Signal != 0 {
				_ = command.Process.Signal(current.Signal)
			} else {
				typing, stop := context.WithCancel(ctx)
				stopTyping = stop
				go typeUntil(typing, terminal, current.Typed)
			}
		}
		if err != nil {
			break
		}
	}
	_ = command.Wait()
	return seen.String(), command.ProcessState.ExitCode()
}

// typeUntil types the same text twice a second, until the context ends or nobody reads.
func typeUntil(ctx context.Context, terminal io.Writer, typed string) {
	tick := time.NewTicker(500 * time.Millisecond)
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
