package revoke

import (
	"context"
	"errors"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/resources"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/audit"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// addHolder fills in whose a certificate is of which only the credential ID is known, where the ledger
// has a verified record of it. What cannot be read stops no revocation.
func addHolder(ctx context.Context, p *onboard.Program, entry *access.Entry) error {
	hash, isCertificate := strings.CutPrefix(entry.Blocked.CredentialID, access.CertificateIDPrefix)
	if !isCertificate || entry.Details.User != "" {
		return nil
	}
	records, err := p.Cluster.Resources().Records()
	if err != nil {
		return err
	}
	record, err := records.Get(ctx, hash)
	switch {
	case errors.Is(err, outcome.ErrInterrupted):
		return err
	case err == nil && record.Spec.Verified && len(record.Spec.User) <= access.MaximumBlockedName:
		entry.Details.User, entry.Details.Groups = record.Spec.User, record.Spec.Groups
	}
	return nil
}

// tellHoldings tells which certificates log in that a user has, and which of others the user
// requested or approved. A cluster without a ledger has nothing to tell, and what cannot be read
// stops no revocation.
func tellHoldings(ctx context.Context, p *onboard.Program, user string) error {
	if user == "" {
		return nil
	}
	found := Holdings{User: user, Now: p.Now()}
	err := audit.EachPage(ctx, p, ledger.Query{}, func(page []*ledger.ClientCertificate) error {
		for _, record := range page {
			isRequested := record.Spec.Requester != nil && record.Spec.Requester.User == user
			switch {
			case record.Spec.User == user:
				found.Own = append(found.Own, record)
			case isRequested, record.ApprovedBy() == user:
				found.Others = append(found.Others, record)
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, outcome.ErrInterrupted):
		return err
	case errors.Is(err, resources.ErrNotInstalled):
	case err != nil:
		p.Tell(LedgerUnread{Reason: err})
	case len(found.Own)+len(found.Others) > 0:
		p.Tell(found)
	}
	return nil
}
