package options

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// ReadCertificate reads a certificate from a file that holds it in any form, or from a kubeconfig
// that logs in with it.
func ReadCertificate(path string) (*pki.Certificate, error) {
	data, err := store.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !pki.IsEncoded(data) {
		if data, err = kubeconfig.CertificateIn(data); err != nil {
			return nil, err
		}
	}
	return pki.ParseCertificate(data)
}
