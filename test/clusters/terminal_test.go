package clusters

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// rows and columns are the size of the terminal.
const rows, columns = 40, 200

// patience is how long a program at a terminal may take.
const patience = time.Minute

// atTerminal runs the program on a pseudo-terminal, types again and again when the question is there,
// because survey loses what comes before it reads, and returns the screen and the exit code.
func (s *session) atTerminal(t *testing.T, question, typed string, arguments ...string) (screen string, code int) {
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
	answered, isTyping := 0, false
	buffer := make([]byte, 4096)
	for {
		n, err := terminal.Read(buffer)
		seen.Write(buffer[:n])
		// survey asks where the cursor is: in the far corner, and behind the question.
		for ; answered < bytes.Count(seen.Bytes(), []byte("\x1b[6n")); answered++ {
			_, _ = fmt.Fprintf(terminal, "\x1b[%d;%dR", rows-answered%2, columns-answered%2)
		}
		if !isTyping && answered >= 2 && strings.Contains(seen.String(), question) {
			isTyping = true
			go program.TypeUntil(ctx, terminal, typed)
		}
		if err != nil {
			break
		}
	}
	_ = command.Wait()
	return seen.String(), command.ProcessState.ExitCode()
}
