package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// ReportFormats lists the forms that Report writes.
func ReportFormats() []string { return []string{"json", "yaml"} }

// fetchedReport is the versioned form in which scripts read what was fetched.
// Fields are added to it; none is renamed or removed within a version.
type fetchedReport struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	User       userReport `json:"user"`
	// Request is the CertificateSigningRequest's name.
	Request string `json:"request"`
	// Kubeconfig is the file's path and Context the context's name in it.
	Kubeconfig string `json:"kubeconfig"`
	Context    string `json:"context"`
	// LoggedIn says whether the certificate has logged in.
	LoggedIn    bool              `json:"loggedIn"`
	Certificate certificateReport `json:"certificate"`
}

type userReport struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups"`
}

type certificateReport struct {
	// NotBefore and NotAfter are RFC 3339 times.
	NotBefore string `json:"notBefore"`
	NotAfter  string `json:"notAfter"`
	// SerialNumber is in hexadecimal digits.
	SerialNumber string `json:"serialNumber"`
	// KeyFingerprint is the public key's, as approve shows it.
	KeyFingerprint string `json:"keyFingerprint"`
	// CredentialID is how Kubernetes names the certificate in audit logs.
	CredentialID string `json:"credentialID"`
}

// Report writes what was fetched, as JSON or YAML.
func Report(out io.Writer, format string, fetched *onboard.Fetched) error {
	leaf := fetched.Certificate.Leaf
	sum := sha256.Sum256(leaf.Raw)
	report := fetchedReport{
		APIVersion: "csr-onboard.github.io/v1alpha1",
		Kind:       "FetchedCertificate",
		User:       userReport{Name: fetched.User.Name, Groups: append([]string{}, fetched.User.Groups...)},
		Request:    fetched.Request,
		Kubeconfig: fetched.Path,
		Context:    fetched.Context,
		LoggedIn:   fetched.LoggedIn,
		Certificate: certificateReport{
			NotBefore:      leaf.NotBefore.UTC().Format(time.RFC3339),
			NotAfter:       leaf.NotAfter.UTC().Format(time.RFC3339),
			SerialNumber:   leaf.SerialNumber.Text(16),
			KeyFingerprint: pki.Fingerprint(leaf.PublicKey),
			CredentialID:   "X509SHA256=" + hex.EncodeToString(sum[:]),
		},
	}
	var encoded []byte
	var err error
	switch format {
	case "json":
		encoded, err = json.MarshalIndent(report, "", "    ")
		encoded = append(encoded, '\n')
	case "yaml":
		encoded, err = yaml.Marshal(report)
	default:
		err = fmt.Errorf("there is no report format %q", format)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(encoded)
	return err
}
