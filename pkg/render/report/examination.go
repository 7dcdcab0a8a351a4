package report

import (
	"io"

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

// Examination writes what was examined as data.
func Examination(out io.Writer, format string, checks []doctor.Check) error {
	form := examination{APIVersion: APIVersion, Kind: "Examination", Checks: make([]checkReport, len(checks))}
	for i, check := range checks {
		form.Checks[i] = checkReport{check.Name, string(check.Verdict), check.Sentence, check.Advice}
	}
	return encode(out, format, form)
}
