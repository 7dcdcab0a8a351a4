package onboard

import (
	"context"
	"fmt"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// deliverCertificate writes the certificate alone.
func (p *Program) deliverCertificate(ctx context.Context, d *Destination, fetched *Fetched) error {
	fetched.CertificateOnly = true
	if d.Path == "-" {
		fetched.InHand = fetched.Certificate.PEM
		return nil
	}
	err := store.UpdateFile(ctx, store.Certificate, d.Path, func(existing []byte) ([]byte, error) {
		return fetched.Certificate.PEM, d.checkCertificate(existing)
	})
	if err != nil {
		return fmt.Errorf("the certificate was not written: %w", err)
	}
	fetched.Path = d.Path
	p.Tell(CertificateWritten{Path: d.Path, User: fetched.User})
	return nil
}

// checkCertificate refuses to write a certificate in the place of anything but an older
// one of the same user's.
func (d *Destination) checkCertificate(existing []byte) error {
	if existing == nil {
		return nil
	}
	if old, err := pki.ParseCertificate(existing); err == nil && old.User().Name == d.user.Name {
		if d.incoming != nil && !d.Overwrite && isLater(old, d.incoming) {
			return laterPairKept(old, d.incoming, fmt.Sprintf("the file %q", d.Path))
		}
		return nil
	}
	return outcome.WithHint(
		fmt.Errorf("the file %q already exists, and is not a certificate of %q", d.Path, d.user.Name),
		"move it away, or name another place: --out FILE or --dir DIR")
}
