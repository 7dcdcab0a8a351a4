package report

import (
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/doctor"
)

// examination is the versioned form in which scripts read what doctor found.
type examination struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Cluster is the context of the cluster, where several were examined.
	Cluster string        `json:"cluster,omitempty"`
	Checks  []checkReport `json:"checks"`
}

type examinationList struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Items      []examination `json:"items"`
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
	return encode(out, format, examinationForm("", checks))
}

// Examinations writes what was examined on several clusters as data.
func Examinations(out io.Writer, format string, all []OnCluster[[]doctor.Check]) error {
	list := examinationList{APIVersion: APIVersion, Kind: "ExaminationList", Items: make([]examination, len(all))}
	for i, one := range all {
		list.Items[i] = examinationForm(one.Cluster, one.Value)
	}
	return encode(out, format, list)
}

func examinationForm(cluster string, checks []doctor.Check) examination {
	form := examination{APIVersion: APIVersion, Kind: "Examination", Cluster: cluster, Checks: make([]checkReport, len(checks))}
	for i, check := range checks {
		form.Checks[i] = checkReport{check.Name, string(check.Verdict), check.Sentence, check.Advice}
	}
	return form
}
