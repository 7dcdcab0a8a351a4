package report

import (
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// RenewalResult is what came of the renewal of one context.
type RenewalResult struct {
	// Context is the context's name.
	Context string
	// Renewed is what was renewed; nil where Err says why nothing was.
	Renewed *renewal.Renewed
	Err     error
}

// renewalReport is the versioned form in which scripts read what came of a renewal.
type renewalReport struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Context    string `json:"context"`
	// State is absent where the renewal failed.
	State string `json:"state,omitempty"`
	// NotAfter is when the certificate that is in use now expires, as an RFC 3339 time.
	NotAfter string `json:"notAfter,omitempty"`
	Error    string `json:"error,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

type renewalReportList struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Items      []renewalReport `json:"items"`
}

// Renewal writes what came of the renewal of one context as data.
func Renewal(out io.Writer, format string, result RenewalResult) error {
	form := renewalForm(result)
	form.APIVersion, form.Kind = APIVersion, "RenewalReport"
	return encode(out, format, form)
}

// Renewals writes what came of the renewals of several contexts as data.
func Renewals(out io.Writer, format string, results []RenewalResult) error {
	list := renewalReportList{APIVersion: APIVersion, Kind: "RenewalReportList", Items: make([]renewalReport, len(results))}
	for i, result := range results {
		list.Items[i] = renewalForm(result)
	}
	return encode(out, format, list)
}

func renewalForm(result RenewalResult) renewalReport {
	form := renewalReport{Context: result.Context}
	if result.Err != nil {
		form.Error, form.Hint = result.Err.Error(), outcome.Hint(result.Err)
		return form
	}
	form.State = string(result.Renewed.State)
	if !result.Renewed.NotAfter.IsZero() {
		form.NotAfter = pki.Stamp(result.Renewed.NotAfter)
	}
	return form
}
