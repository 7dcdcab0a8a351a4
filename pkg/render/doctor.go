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

// ChecksOfClusters is Checks for several clusters; each line begins with the cluster.
func ChecksOfClusters(out io.Writer, format string, all []report.OnCluster[[]doctor.Check]) error {
	if format != "" {
		return report.Examinations(out, format, all)
	}
	for _, one := range all {
		if err := Checks(screen.Prefixing(out, ClusterPrefix(one.Cluster)), "", one.Value); err != nil {
			return err
		}
	}
	return nil
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
