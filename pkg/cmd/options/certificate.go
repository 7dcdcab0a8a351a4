package options

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// ReadCertificate reads the certificate of --certificate: from a file that holds it in any form, or
// from a kubeconfig that logs in with it. A file without one is an ErrUsage.
func ReadCertificate(path string) (*pki.Certificate, error) {
	data, err := store.ReadFile(path)
	if err == nil && !pki.IsEncoded(data) {
		data, err = kubeconfig.CertificateIn(data)
	}
	var certificate *pki.Certificate
	if err == nil {
		certificate, err = pki.ParseCertificate(data)
	}
	if err != nil {
		return nil, outcome.BadFile("--certificate", path, err)
	}
	return certificate, nil
}
