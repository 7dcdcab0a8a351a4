package screen

import (
	"io"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// clearLine goes to the line's beginning and erases it (ECMA-48 EL).
const clearLine = "\r\x1b[K"

// Line is one line on a terminal that says what is waited for and for how
// long, written again every second.
type Line struct {
	out  io.Writer
	stop chan struct{}
	done sync.WaitGroup
}

// StartLine begins a line. It is cut to the terminal's width, which may change: only the
// row that the cursor is in is erased.
func StartLine(out io.Writer, now func() time.Time, text string) *Line {
	l := &Line{out: out, stop: make(chan struct{})}
	begin := now()
	l.done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			_, _ = io.WriteString(out, clearLine+liveText(text, now().Sub(begin), Columns(out)))
			select {
			case <-l.stop:
				return
			case <-tick.C:
			}
		}
	})
	return l
}

// End removes the line. Nothing is written to it afterwards.
func (l *Line) End() {
	close(l.stop)
	l.done.Wait()
	_, _ = io.WriteString(l.out, clearLine)
}

// liveText is a line's text with the time that has passed, so that it fits into a row and
// leaves its last column free: some terminals continue to the next row behind it.
func liveText(text string, passed time.Duration, columns int) string {
	behind := " (" + duration.HumanDuration(passed) + ")"
	if room := columns - 1 - Width(behind); room >= shortestText {
		return Cut(text, room) + behind
	}
	return Cut(text, columns-1)
}

// shortestText is how many columns a text needs to say something.
const shortestText = 12
