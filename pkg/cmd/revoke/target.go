package revoke

import (
	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// target is who is meant: a user, a certificate, or a service account token.
type target struct {
	// Certificate and Token are files, and CredentialID is what an API server calls one or the
	// other. Optional: one of them, or a user's name.
	Certificate, Token, CredentialID string

	user string
}

func (t *target) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&t.Certificate, "certificate", "", "only this certificate (a PEM file or a kubeconfig)")
	flags.StringVar(&t.CredentialID, "credential-id", "", "only the certificate or token with this credential ID, as in audit logs: X509SHA256=… or JTI=…")
	flags.StringVar(&t.Token, "service-account-token", "", "only the service account token in this file")
	_ = cmd.MarkFlagFilename("certificate", "crt", "pem", "kubeconfig", "yaml")
	_ = cmd.MarkFlagFilename("service-account-token")
}

// complete takes the name of a user, if one is given.
func (t *target) complete(command string, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	if err := cli.RefuseFileName(arguments[0], &cli.FileCommand{Words: command, Option: "--certificate"}); err != nil {
		return err
	}
	// A name that no user could be given today may have been given before.
	t.user = arguments[0]
	return nil
}

func (t *target) validate() error {
	given := 0
	for _, one := range []string{t.user, t.Certificate, t.CredentialID, t.Token} {
		if one != "" {
			given++
		}
	}
	if given != 1 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "exactly one of NAME, --certificate, --credential-id and --service-account-token is required"),
			"for a user and every certificate: NAME; for one certificate: --certificate FILE")
	}
	return nil
}

// entry reads who is meant.
func (t *target) entry() (access.Entry, error) {
	switch {
	case t.user != "":
		return access.Entry{Blocked: access.Blocked{User: t.user}, Details: access.Details{User: t.user}}, nil
	case t.CredentialID != "":
		entry := access.Entry{Blocked: access.Blocked{CredentialID: t.CredentialID}}
		if err := revocation.Check(entry); err != nil {
			return access.Entry{}, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "invalid credential id %s (--credential-id)", identity.Quote(t.CredentialID)), "%s", outcome.Hint(err))
		}
		return entry, nil
	case t.Token != "":
		data, err := store.ReadFile(t.Token)
		var entry access.Entry
		if err == nil {
			entry, err = revocation.ParseToken(data)
		}
		if err != nil {
			return access.Entry{}, outcome.BadFile("--service-account-token", t.Token, err)
		}
		return entry, nil
	}
	certificate, err := options.ReadCertificate(t.Certificate)
	if err != nil {
		return access.Entry{}, err
	}
	user, notAfter := certificate.User(), certificate.Leaf.NotAfter.UTC()
	return access.Entry{
		Blocked: access.Blocked{CredentialID: access.CredentialID(certificate.SHA256())},
		Details: access.Details{User: user.Name, Groups: user.Groups, NotAfter: &notAfter},
	}, nil
}
