package render

import (
	"fmt"
	"io"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// voice writes lines for a person, and one line that changes while something is waited for.
type voice struct {
	out io.Writer
	now func() time.Time
	// animated says that a wait is shown by a line that changes.
	animated bool
	// cluster is the one of several clusters that is spoken of; "" for one alone.
	cluster string
	// flags go into each command of csr-onboard.
	flags identity.ClusterFlags
	// dryRun goes behind what is said to be done.
	dryRun   onboard.DryRun
	live     *screen.Line
	progress *progress
}

// externalServer is the advice to name another address of the API server, which is a flag of commands
// for one cluster.
func (v *voice) externalServer() string {
	const flag = "--external-server URL"
	if v.cluster != "" {
		return flag + ", in a command for this cluster alone"
	}
	return flag
}

// close removes what is on the screen that was not to stay.
func (v *voice) close() {
	if v.live != nil {
		v.live.End()
		v.live = nil
	}
	if v.progress != nil {
		v.progress.clear()
	}
}

// wait says what is waited for, for as long as nothing else is said.
func (v *voice) wait(format string, arguments ...any) {
	if !v.animated {
		v.say(format, arguments...)
		return
	}
	v.close()
	v.live = screen.StartLine(v.out, v.now, v.flags.Complete(fmt.Sprintf(format, arguments...)))
}

// did says what was done, or would be done if this were not a dry run.
func (v *voice) did(format string, arguments ...any) {
	v.say("%s%s", fmt.Sprintf(format, arguments...), v.dryRun.Note())
}

// copyable is a command that is safe to print as it is.
type copyable string

func (t copyable) String() string { return string(t) }

// next says what can be done next, and the command for it in a line of its own, which is easy to
// copy and does not wrap with the words.
func (v *voice) next(what string, command fmt.Stringer) {
	v.say("  %s:", what)
	v.say("    %s", command)
}

// hint says what to try after an error, in a line below it, if the error says it.
func (v *voice) hint(err error) {
	if hint := outcome.Hint(err); hint != "" {
		v.say("  hint: %s", identity.PrintableSentence(hint))
	}
}

func (v *voice) say(format string, arguments ...any) {
	v.close()
	// Narration that cannot be written is nobody's business to hear about.
	_, _ = fmt.Fprintln(v.out, v.flags.Complete(fmt.Sprintf(format, arguments...)))
}
