package report

import (
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// fetchedReport is the versioned form in which scripts read what was fetched.
// Fields are added to it; none is renamed or removed within a version.
type fetchedReport struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Cluster is the context of the cluster, where there are several.
	Cluster string     `json:"cluster,omitempty"`
	User    userReport `json:"user"`
	// Request is the CertificateSigningRequest's name.
	Request string `json:"request"`
	// Kubeconfig is the file's path and Context the context's name in it. Both are
	// empty with --certificate-only.
	Kubeconfig string `json:"kubeconfig"`
	Context    string `json:"context"`
	// CertificateFile is the certificate's path with --certificate-only.
	CertificateFile string `json:"certificateFile,omitempty"`
	// LoggedIn reports whether the certificate has logged in.
	LoggedIn    bool              `json:"loggedIn"`
	Certificate certificateReport `json:"certificate"`
}

type userReport struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups"`
}

func userReportOf(user identity.User) userReport {
	return userReport{Name: user.Name, Groups: append([]string{}, user.Groups...)}
}

type certificateReport struct {
	// NotBefore and NotAfter are RFC 3339 times.
	NotBefore string `json:"notBefore"`
	NotAfter  string `json:"notAfter"`
	// Issuer is the name of the certificate authority, as RFC 2253 writes it.
	Issuer string `json:"issuer"`
	// SerialNumber is in hexadecimal digits.
	SerialNumber string `json:"serialNumber"`
	// KeyFingerprint is the public key's, as approve shows it.
	KeyFingerprint string `json:"keyFingerprint"`
	// CredentialID is how Kubernetes names the certificate in audit logs.
	CredentialID string `json:"credentialID"`
}

// Fetched writes what was fetched, as JSON or YAML.
func Fetched(out io.Writer, format string, fetched *onboard.Fetched) error {
	return encode(out, format, fetchedForm("", fetched))
}

type fetchedReportList struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Items      []fetchedReport `json:"items"`
}

// FetchedOnClusters writes what was fetched from several clusters, as JSON or YAML.
func FetchedOnClusters(out io.Writer, format string, all []OnCluster[*onboard.Fetched]) error {
	list := fetchedReportList{APIVersion: APIVersion, Kind: "FetchedCertificateList", Items: make([]fetchedReport, len(all))}
	for i, one := range all {
		list.Items[i] = fetchedForm(one.Cluster, one.Value)
	}
	return encode(out, format, list)
}

func fetchedForm(cluster string, fetched *onboard.Fetched) fetchedReport {
	report := fetchedReport{
		APIVersion:  APIVersion,
		Kind:        "FetchedCertificate",
		Cluster:     cluster,
		User:        userReportOf(fetched.User),
		Request:     fetched.Request,
		Context:     fetched.Context,
		LoggedIn:    fetched.LoggedIn,
		Certificate: certificateReportOf(fetched.Certificate),
	}
	if fetched.CertificateOnly {
		report.CertificateFile = fetched.Path
	} else {
		report.Kubeconfig = fetched.Path
	}
	return report
}

func certificateReportOf(certificate *pki.Certificate) certificateReport {
	leaf := certificate.Leaf
	return certificateReport{
		NotBefore:      pki.Stamp(leaf.NotBefore),
		NotAfter:       pki.Stamp(leaf.NotAfter),
		Issuer:         leaf.Issuer.String(),
		SerialNumber:   leaf.SerialNumber.Text(16),
		KeyFingerprint: pki.Fingerprint(leaf.PublicKey),
		CredentialID:   access.CredentialID(certificate.SHA256()),
	}
}
