package render

import (
	"fmt"
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/doctor"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// colorOfVerdict is red where something has to be done, and yellow where it may have to be.
func colorOfVerdict(verdict doctor.Verdict) string {
	switch verdict {
	case doctor.Fail:
		return screen.Red
	case doctor.Warn:
		return screen.Yellow
	}
	return ""
}

// Checks writes what was examined: as lines for people, or as JSON or YAML.
func Checks(out io.Writer, format string, checks []doctor.Check) error {
	if format == "" {
		w := &lines{out: out}
		for _, check := range checks {
			w.line("%s  %s: %s", screen.Painted(out, colorOfVerdict(check.Verdict), fmt.Sprintf("%-7s", check.Verdict)), check.Name, identity.PrintableSentence(check.Sentence))
			if check.Advice != "" && check.Verdict != doctor.Pass {
				w.line("         to do: %s", identity.PrintableSentence(check.Advice))
			}
		}
		return w.err
	}
	return report.Examination(out, format, checks)
}
