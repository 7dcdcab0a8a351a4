package e2e

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// screen is as much of a terminal (ECMA-48, and xterm's saved cursor) as the program and
// survey use. What it does not know fails the test.
type screen struct {
	t                   *testing.T
	rows, columns       int
	cells               [][]rune
	row, column         int
	savedRow, savedLine int
	// isFull says that the last column was written, so that the next character wraps.
	isFull bool
	// scrolled is how many rows have left the screen.
	scrolled int
	rest     string
}

func newScreen(t *testing.T, rows, columns int) *screen {
	s := &screen{t: t, rows: rows, columns: columns}
	for range rows {
		s.cells = append(s.cells, s.blank())
	}
	return s
}

func (s *screen) blank() []rune { return slices.Repeat([]rune{' '}, s.columns) }

// write takes in what a program writes, up to the last whole sequence.
func (s *screen) write(text string) {
	text = s.rest + text
	s.rest = ""
	for text != "" {
		if text[0] == '\x1b' {
			length := sequenceLength(text)
			if length == 0 {
				s.rest = text
				return
			}
			s.obey(text[:length])
			text = text[length:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && !utf8.FullRuneInString(text) {
			s.rest = text
			return
		}
		text = text[size:]
		s.put(r)
	}
}

// sequenceLength is how long the control sequence is that a text begins with; 0 if its end is
// not there yet.
func sequenceLength(text string) int {
	switch {
	case len(text) < 2:
		return 0
	case text[1] != '[':
		return 2
	}
	for i := 2; i < len(text); i++ {
		if text[i] >= '@' && text[i] <= '~' {
			return i + 1
		}
	}
	return 0
}

func (s *screen) put(r rune) {
	switch r {
	case '\r':
		s.column, s.isFull = 0, false
		return
	case '\n':
		s.lineFeed()
		return
	case '\a':
		return
	}
	if s.isFull {
		s.column, s.isFull = 0, false
		s.lineFeed()
	}
	s.cells[s.row][s.column] = r
	if s.column == s.columns-1 {
		s.isFull = true
		return
	}
	s.column++
}

func (s *screen) lineFeed() {
	s.isFull = false
	if s.row < s.rows-1 {
		s.row++
		return
	}
	s.cells = append(s.cells[1:], s.blank())
	s.scrolled++
}

func (s *screen) obey(sequence string) {
	if sequence == "\x1b7" {
		s.savedRow, s.savedLine = s.row, s.column
		return
	}
	if sequence == "\x1b8" {
		s.row, s.column = s.savedRow, s.savedLine
		return
	}
	command, parameter := sequence[len(sequence)-1], strings.TrimPrefix(sequence[2:len(sequence)-1], "?")
	n, err := strconv.Atoi(parameter)
	if err != nil {
		n = 1
	}
	s.isFull = false
	switch command {
	case 'm', 'h', 'l', 'n':
	case 'A':
		s.row = max(0, s.row-n)
	case 'B':
		s.row = min(s.rows-1, s.row+n)
	case 'E':
		s.row, s.column = min(s.rows-1, s.row+n), 0
	case 'F':
		s.row, s.column = max(0, s.row-n), 0
	case 'C':
		s.column = min(s.columns-1, s.column+n)
	case 'D':
		s.column = max(0, s.column-n)
	case 'G':
		s.column = max(0, n-1)
	case 's':
		s.savedRow, s.savedLine = s.row, s.column
	case 'u':
		s.row, s.column = s.savedRow, s.savedLine
	case 'K':
		begin := s.column
		if parameter == "1" || parameter == "2" {
			begin = 0
		}
		for i := begin; i < s.columns; i++ {
			s.cells[s.row][i] = ' '
		}
	default:
		s.t.Errorf("the screen does not know %q", sequence)
	}
}

// lines is what is on the screen.
func (s *screen) lines() []string {
	lines := make([]string, len(s.cells))
	for i, row := range s.cells {
		lines[i] = strings.TrimRight(string(row), " ")
	}
	return lines
}

// person is somebody at a terminal of some size, in front of the running program.
type person struct {
	screen *screen
	output chan string
	input  io.Writer
	all    string
}

// sit runs the program on a terminal.
func sit(t *testing.T, s *session, rows, columns uint16, arguments ...string) *person {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	command := s.env.Command(ctx, program.Name, arguments...)
	command.Env = append(command.Env, "TERM=xterm")
	terminal, err := pty.StartWithSize(command, &pty.Winsize{Rows: rows, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	p := &person{screen: newScreen(t, int(rows), int(columns)), output: make(chan string), input: terminal}
	go func() {
		defer close(p.output)
		buffer := make([]byte, 4096)
		for {
			n, err := terminal.Read(buffer)
			if n > 0 {
				p.output <- string(buffer[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		// What comes at the end is of no interest.
		for range p.output {
		}
		_ = command.Wait()
		_ = terminal.Close()
	})
	return p
}

// until looks at the screen until it is as wanted.
func (p *person) until(about string, isWanted func(lines []string) bool) {
	p.screen.t.Helper()
	for !isWanted(p.screen.lines()) {
		text, more := <-p.output
		if !more {
			p.screen.t.Fatalf("%s: the program ended, and the screen is\n%s", about, strings.Join(p.screen.lines(), "\n"))
		}
		p.all += text
		p.screen.write(text)
	}
}

// focus is the option that the menu's cursor is at; "" if it is not on the screen.
func focus(lines []string) string {
	for _, line := range lines {
		if strings.HasPrefix(line, "> [") {
			return line
		}
	}
	return ""
}

func TestScreen_AMenuFitsOnTheScreen(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	team := "name,groups\n"
	const users = 28
	for i := range users {
		team += fmt.Sprintf("menu-user-with-a-long-name-%02d,developers;operators\n", i)
	}
	s.write("team.csv", team)
	s.must("new-user", "-f", "team.csv", "--dir", "T")
	for _, size := range []struct{ rows, columns uint16 }{{24, 80}, {10, 40}, {40, 200}} {
		t.Run(fmt.Sprintf("%d×%d", size.columns, size.rows), func(t *testing.T) {
			own := *s
			own.t = t
			p := sit(t, &own, size.rows, size.columns, "approve")
			seen := map[string]bool{}
			previous := ""
			for i := range users {
				p.until(fmt.Sprintf("option %d", i), func(lines []string) bool {
					at := focus(lines)
					// The question's first words and the option are on the screen together, and the
					// menu is drawn to its end, where the cursor is put back.
					return at != "" && at != previous && strings.HasSuffix(p.all, "\x1b[0G") && strings.Contains(strings.Join(lines, ""), "Which requests") && lines[len(lines)-1] == ""
				})
				previous = focus(p.screen.lines())
				if !strings.Contains(previous, "SHA256:") || !strings.Contains(previous, "menu-use") {
					t.Errorf("the option does not say whose request it is: %q", previous)
				}
				seen[previous] = true
				if _, err := io.WriteString(p.input, "\x1b[B"); err != nil {
					t.Fatal(err)
				}
			}
			if len(seen) != users {
				t.Errorf("%d of %d options can be told apart", len(seen), users)
			}
			if p.screen.scrolled > 0 {
				t.Errorf("%d rows have left the screen", p.screen.scrolled)
			}
		})
	}
}

func TestScreen_AWaitingLineStaysOnOneRow(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	s.must("new-user", "waiting-with-quite-a-long-name-that-needs-room", "--dir", "D")
	for _, columns := range []uint16{80, 60, 40, 20} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			own := *s
			own.t = t
			p := sit(t, &own, 10, columns, "fetch", "waiting-with-quite-a-long-name-that-needs-room", "--dir", "D")
			waiting := func(lines []string) int {
				n := 0
				for _, line := range lines {
					if strings.HasPrefix(line, "waiting for") {
						n++
					}
				}
				return n
			}
			begin := time.Now()
			// The line is written again every second.
			p.until("the line", func(lines []string) bool { return waiting(lines) > 0 })
			p.until("the line again", func([]string) bool { return strings.Count(p.all, "\x1b[K") >= 4 })
			if n := waiting(p.screen.lines()); n != 1 {
				t.Errorf("after %s the line is there %d times:\n%s", time.Since(begin), n, strings.Join(p.screen.lines(), "\n"))
			}
		})
	}
}
