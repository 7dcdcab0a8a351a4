package render

import (
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize/english"
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

const (
	// fullColumns is what a bar takes with rate and remaining time, and barColumns what it takes
	// without them. On a terminal with fewer columns it would continue to the next row, which is not
	// erased: there are lines then.
	fullColumns = 80
	barColumns  = 40
	// aroundBar is what stands around a bar without rate and remaining time.
	aroundBar = 34
)

// progress is how far something is that is done to many users: a bar on a terminal, and now and
// then a line elsewhere.
type progress struct {
	bar *progressbar.ProgressBar
	out io.Writer
	// first is the first event, and columns how wide the terminal was when the bar was made.
	first    onboard.Progress
	columns  int
	animated bool
	now      func() time.Time
	begin    time.Time
	// told is when the last line was written, and done what it said.
	told time.Time
	done int
}

func newProgress(first onboard.Progress, out io.Writer, now func() time.Time, animated bool) *progress {
	p := &progress{now: now, begin: now(), out: out, first: first, animated: animated}
	p.told = p.begin
	return p
}

// fit makes a bar that fits the terminal, again where its width has changed.
func (p *progress) fit() {
	columns := 0
	if p.animated {
		columns = screen.Columns(p.out)
	}
	if columns == p.columns {
		return
	}
	p.clear()
	p.columns, p.bar = columns, nil
	if columns < barColumns {
		return
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(p.first.Doing),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionClearOnFinish(),
	}
	if columns >= fullColumns {
		options = append(options, progressbar.OptionSetWidth(20), progressbar.OptionShowIts(), progressbar.OptionSetItsString("users"))
	} else {
		options = append(options, progressbar.OptionSetWidth(columns-aroundBar), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false))
	}
	p.bar = progressbar.NewOptions(p.first.Total, options...)
	p.bar.StartWithoutRender()
}

// tell shows how far it is; say writes a line.
func (p *progress) tell(e onboard.Progress, say func(string, ...any)) {
	now := p.now()
	p.fit()
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
		say("%s: %d of %s%s", e.Doing, e.Done, english.Plural(e.Total, "user", ""), failed)
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
