package render

import (
	"fmt"
	"io"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// clearLine goes to the line's beginning and erases it (ECMA-48 EL).
const clearLine = "\r\x1b[K"

// longestLine keeps a line, with the time behind it, on one row of a terminal of 80
// columns: only that row is erased.
const longestLine = 68

// liveLine is one line on a terminal that says what is waited for and for how
// long, written anew every second.
type liveLine struct {
	out  io.Writer
	stop chan struct{}
	done sync.WaitGroup
}

// startLiveLine begins a line; text is cut where it is too long for a row.
func startLiveLine(out io.Writer, text string) *liveLine {
	l := &liveLine{out: out, stop: make(chan struct{})}
	if runes := []rune(text); len(runes) > longestLine {
		text = string(runes[:longestLine-1]) + "…"
	}
	begin := time.Now()
	l.done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			_, _ = fmt.Fprintf(out, "%s%s (%s)", clearLine, text, duration.HumanDuration(time.Since(begin)))
			select {
			case <-l.stop:
				return
			case <-tick.C:
			}
		}
	})
	return l
}

// end removes the line. Nothing is written to it afterwards.
func (l *liveLine) end() {
	close(l.stop)
	l.done.Wait()
	_, _ = io.WriteString(l.out, clearLine)
}
