package render

import (
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/doctor"
)

// examination is the versioned form in which scripts read what doctor found.
type examination struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Checks     []checkReport `json:"checks"`
}

type checkReport struct {
	Name string `json:"name"`
	// Verdict is pass, warn, fail or unknown.
	Verdict  string `json:"verdict"`
	Sentence string `json:"sentence"`
	Advice   string `json:"advice,omitempty"`
}

// Checks writes what was examined: as lines for people, or as JSON or YAML.
func Checks(out io.Writer, format string, checks []doctor.Check) error {
	if format == "" {
		w := &lines{out: out}
		for _, check := range checks {
			w.line("%-7s  %s: %s", check.Verdict, check.Name, identity.PrintableSentence(check.Sentence))
			if check.Advice != "" && check.Verdict != doctor.Pass {
				w.line("         to do: %s", identity.PrintableSentence(check.Advice))
			}
		}
		return w.err
	}
	form := examination{APIVersion: apiVersion, Kind: "Examination", Checks: make([]checkReport, len(checks))}
	for i, check := range checks {
		form.Checks[i] = checkReport{check.Name, string(check.Verdict), check.Sentence, check.Advice}
	}
	return encode(out, format, form)
}
