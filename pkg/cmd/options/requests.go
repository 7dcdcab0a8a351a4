package options

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// AddAllowFlag adds --allow, which names findings to accept.
func AddAllowFlag(cmd *cobra.Command, allow *[]string) {
	cmd.Flags().StringArrayVar(allow, "allow", nil, "accept a finding that would refuse the request, by its name; can be repeated")
	cli.RegisterCompletion(cmd, "allow", request.Allowable())
}

// NoRequestIn is the error of a file, named source, without a certificate signing request.
func NoRequestIn(source string, err error) error {
	return outcome.WithHint(
		fmt.Errorf("no certificate signing request in %q: %w", source, err),
		"it must be a PKCS#10 request in PEM, DER or base64, or a CertificateSigningRequest manifest of certificates.k8s.io/v1")
}
