package report

import (
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
)

// signedReport is the versioned form in which scripts read what was signed.
type signedReport struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	User       userReport `json:"user"`
	// File is the path of the certificate, or of the handoff with --server.
	File        string            `json:"file"`
	Certificate certificateReport `json:"certificate"`
}

// Signed writes what was signed as data.
func Signed(out io.Writer, format string, signed *handoff.HandedOff) error {
	return encode(out, format, signedReport{
		APIVersion: APIVersion, Kind: "SignedCertificate", User: userReportOf(signed.User), File: signed.Path, Certificate: certificateReportOf(signed.Certificate),
	})
}
