package render

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

const (
	// progressPatience is how long something takes before it is worth a word.
	progressPatience = time.Second
	// progressPause is how often a line is written where no bar can be, and stillPause
	// how often where it is the same again.
	progressPause = 10 * time.Second
	stillPause    = time.Minute
)

// barColumns is what a bar takes with all that stands around it. On a terminal with fewer
// columns it would go on to the next row, which is not erased.
const barColumns = 80

// progress is how far something is that is done to many users: a bar with rate and
// remaining time on a terminal, and now and then a line elsewhere.
type progress struct {
	bar   *progressbar.ProgressBar
	now   func() time.Time
	begin time.Time
	// told is when the last line was written, and done what it said.
	told time.Time
	done int
}

func newProgress(first onboard.Progress, out io.Writer, now func() time.Time, animated bool) *progress {
	p := &progress{now: now, begin: now()}
	p.told = p.begin
	if animated && screen.Columns(out) >= barColumns {
		p.bar = progressbar.NewOptions(first.Total,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetDescription(first.Doing),
			progressbar.OptionSetWidth(20),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("users"),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionUseANSICodes(true),
			progressbar.OptionClearOnFinish(),
		)
		p.bar.StartWithoutRender()
	}
	return p
}

// tell shows how far it is; say writes a line.
func (p *progress) tell(e onboard.Progress, say func(string, ...any)) {
	now := p.now()
	switch {
	case now.Sub(p.begin) < progressPatience:
	case p.bar != nil:
		_ = p.bar.Set(e.Done)
	case e.Done == e.Total, now.Sub(p.told) < progressPause, e.Done == p.done && now.Sub(p.told) < stillPause:
	default:
		p.told, p.done = now, e.Done
		failed := ""
		if e.Failed > 0 {
			failed = fmt.Sprintf(", %d failed", e.Failed)
		}
		say("%s: %d of %d users%s", e.Doing, e.Done, e.Total, failed)
	}
}

// tellProgress begins with the first event of something, and ends with its last.
func (v *voice) tellProgress(e onboard.Progress) {
	if v.progress == nil {
		v.progress = newProgress(e, v.out, v.now, v.animated)
	}
	v.progress.tell(e, v.say)
	if e.Done == e.Total {
		v.progress.clear()
		v.progress = nil
	}
}

// clear takes the bar off the screen until it is told of again.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
