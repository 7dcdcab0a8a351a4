package onboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// SignInput is what it takes to sign a request on a CA server.
type SignInput struct {
	// Source is the request's file, and Object what request.Import made of it.
	// Required.
	Source string
	Object *certificatesv1.CertificateSigningRequest
	// Lifetime is how long the certificate should be good for. Required.
	Lifetime time.Duration
	// CertificateFile and KeyFile are the authority's, in PEM. Required.
	CertificateFile, KeyFile string
	// Log is the file that knows every certificate. Required.
	Log string
	// Fingerprint, Allow and Confirm are as in DecideInput.
	Fingerprint string
	Allow       []string
	Confirm     func(context.Context, *request.Review) error
	// Endpoint has a handoff kubeconfig written for this cluster. Optional: the
	// certificate alone is written without it. An endpoint without an authority
	// of its own has the one that signs.
	Endpoint *kubeconfig.Endpoint
	// Path is the file to write; "-" hands it back. Required.
	Path string
	// Fetch is as in HandoffInput. Required with Endpoint.
	Fetch func(user, file string, trust HandoffTrust) string
}

// Sign shows a request, asks, and signs it with an authority's key, without any
// cluster. The certificate is in the log, and the log on the disk, before it is
// anywhere else.
func (p *Program) Sign(ctx context.Context, in SignInput) (*HandedOff, error) {
	authority, err := p.authority(in)
	if err != nil {
		return nil, err
	}
	review := request.ReviewOfFile(in.Object, in.Source)
	if in.Fingerprint != "" && !review.IsFor(in.Fingerprint) {
		return nil, otherKeyInFile(in.Source, review, in.Fingerprint)
	}
	p.Tell(Reviewed{Review: review, Now: p.Now()})
	if err := review.CheckAllowed(in.Allow); err != nil {
		return nil, err
	}
	parsed, err := pki.ParseRequest(in.Object.Spec.Request)
	if err != nil {
		return nil, err
	}
	if err := p.checkSignedPlace(review.User, in, authority); err != nil {
		return nil, err
	}
	if err := in.Confirm(ctx, review); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, outcome.Errorf(outcome.ErrInterrupted, "%w before anything was signed", outcome.ErrInterrupted)
	}
	now := p.Now()
	certificate, err := authority.Sign(parsed, in.Lifetime, now)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(pki.IssuanceOf(certificate, now))
	if err != nil {
		return nil, err
	}
	if err := store.AppendLine(ctx, in.Log, line); err != nil {
		return nil, outcome.WithHint(fmt.Errorf("the log of issued certificates can't be written, so none was issued: %w", err),
			"name another: --log FILE")
	}
	p.Tell(CertificateIssued{NotAfter: certificate.Leaf.NotAfter, Asked: in.Lifetime, Given: certificate.Lifetime()})
	signed := &HandedOff{User: parsed.User(), Certificate: certificate}
	return signed, p.deliverSigned(ctx, signed, in, authority)
}

// authority reads the authority's certificate and key.
func (p *Program) authority(in SignInput) (*pki.Authority, error) {
	certificate, err := store.ReadFile(in.CertificateFile)
	if err != nil {
		return nil, outcome.Errorf(outcome.ErrUsage, "--ca-cert: %w", err)
	}
	key, err := store.ReadFile(in.KeyFile)
	if err != nil {
		return nil, outcome.Errorf(outcome.ErrUsage, "--ca-key: %w", err)
	}
	authority, err := pki.NewAuthority(certificate, key, p.Now())
	if err != nil {
		return nil, err
	}
	if store.OthersMayRead(in.KeyFile) {
		p.Tell(AuthorityKeyNotPrivate{Path: in.KeyFile})
	}
	return authority, nil
}

// handoffOf is where and what to write for a cluster.
func (in SignInput) handoffOf(authority *pki.Authority) (kubeconfig.Endpoint, HandoffInput) {
	endpoint := *in.Endpoint
	if len(endpoint.CertificateAuthority) == 0 && !endpoint.InsecureSkipVerify {
		endpoint.CertificateAuthority = authority.PEM()
	}
	return endpoint, HandoffInput{Path: in.Path, Fetch: in.Fetch}
}

// checkSignedPlace finds what would keep the file from being written, before there
// is a certificate.
func (p *Program) checkSignedPlace(user identity.User, in SignInput, authority *pki.Authority) error {
	if in.Endpoint != nil {
		endpoint, handoff := in.handoffOf(authority)
		return p.checkHandoff(user, endpoint, handoff)
	}
	switch {
	case in.Path == "-":
		return nil
	case store.Exists(in.Path):
		return alreadyThere(in.Path)
	case !store.IsFolder(filepath.Dir(in.Path)):
		return outcome.WithHint(fmt.Errorf("there is no folder %q to write the certificate to", filepath.Dir(in.Path)), "make it, or name another place: --out FILE")
	}
	return nil
}

func alreadyThere(path string) error {
	return outcome.WithHint(fmt.Errorf("there is a file %q already", path), "move it away, or name another: --out FILE")
}

func (p *Program) deliverSigned(ctx context.Context, signed *HandedOff, in SignInput, authority *pki.Authority) error {
	if in.Endpoint != nil {
		endpoint, handoff := in.handoffOf(authority)
		p.warnOf(endpoint, true)
		return p.writeHandoff(ctx, endpoint, signed, handoff)
	}
	if in.Path == "-" {
		signed.Handoff = signed.Certificate.PEM
		return nil
	}
	err := store.CreateFile(store.SignedCertificate, in.Path, signed.Certificate.PEM)
	if errors.Is(err, fs.ErrExist) {
		return alreadyThere(in.Path)
	}
	if err != nil {
		return fmt.Errorf("the certificate was not written, and is in the log %q all the same: %w", in.Log, err)
	}
	signed.Path = in.Path
	p.Tell(CertificateWritten{Path: in.Path, User: signed.User})
	return nil
}
