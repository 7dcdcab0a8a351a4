package render

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// escapes are what a terminal obeys.
var escapes = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

func TestProgress_ABarFitsIntoTheTerminal(t *testing.T) {
	for _, columns := range []int{30, 40, 60, 79, 80, 120} {
		master, terminal, err := pty.Open()
		if err != nil {
			t.Skip(err)
		}
		if err := pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: uint16(columns)}); err != nil { //nolint:gosec // It is small.
			t.Fatal(err)
		}
		written := make(chan string)
		go func() {
			var text strings.Builder
			buffer := make([]byte, 4096)
			for {
				n, err := master.Read(buffer)
				text.Write(buffer[:n])
				if err != nil || strings.Contains(text.String(), "end") {
					written <- text.String()
					return
				}
			}
		}()
		at := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
		lines := 0
		p := newProgress(onboard.Progress{Doing: "onboarding", Total: 1000}, terminal, func() time.Time { return at }, true)
		for done := 0; done < 1000; done += 100 {
			at = at.Add(11 * time.Second)
			p.tell(onboard.Progress{Doing: "onboarding", Done: done, Total: 1000}, func(string, ...any) { lines++ })
		}
		if _, err := terminal.WriteString("end"); err != nil {
			t.Fatal(err)
		}
		text := escapes.ReplaceAllString(<-written, "")
		for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
			if n := screen.Width(strings.TrimRight(line, " ")); n >= columns && !strings.HasSuffix(line, "end") {
				t.Errorf("in %d columns the bar takes %d: %q", columns, n, line)
			}
		}
		if hasBar := strings.Contains(text, "onboarding"); hasBar != (columns >= barColumns) || hasBar == (lines > 0) {
			t.Errorf("in %d columns there is a bar: %t, and %d lines", columns, hasBar, lines)
		}
		_ = terminal.Close()
		_ = master.Close()
	}
}
