package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/handoff"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Input is what it takes to sign a request on a CA server.
type Input struct {
	// Source is the request's file, and Object what requestfile.Parse made of it.
	// Required.
	Source string
	Object *request.Request
	// Lifetime is how long the certificate should be good for. Required.
	Lifetime time.Duration
	// CertificateFile and KeyFile are the authority's (see pki.NewAuthority), and may be
	// pipes or "-". Required.
	CertificateFile, KeyFile string
	// PassphraseFile holds the passphrase of an encrypted KeyFile in its first line, and
	// may be a pipe or "-". Optional.
	PassphraseFile string
	// AskPassphrase asks a person without a PassphraseFile. Required.
	AskPassphrase func(context.Context) ([]byte, error)
	// Inputs reads these files. Required.
	Inputs store.Inputs
	// Log is the file that knows every certificate. Required.
	Log string
	// Fingerprint, Allow and Confirm are as in approval.Input.
	Fingerprint string
	Allow       []string
	Confirm     func(context.Context, *request.Review) error
	// Endpoint has a handoff kubeconfig written for this cluster. Optional: the
	// certificate alone is written without it. An endpoint without an authority
	// of its own has the one that signs.
	Endpoint *kubeconfig.Endpoint
	// DryRun ends after the review and all checks: nothing is signed, logged or written. Optional.
	DryRun bool
	// Path is the file to write; "-" hands it back. Required.
	Path string
	// Fetch is as in handoff.Input. Required with Endpoint.
	Fetch func(user, file string, trust handoff.Trust) string
}

// Run shows a request, asks, and signs it with an authority's key, without any
// cluster. The certificate is in the log, and the log on the disk, before it is
// anywhere else. In a dry run nothing is signed, and the result is nil.
func Run(ctx context.Context, p *onboard.Program, in Input) (*handoff.HandedOff, error) {
	authority, err := openAuthority(ctx, p, in)
	if err != nil {
		return nil, err
	}
	review := request.ReviewOfFile(in.Object, in.Source)
	if in.Fingerprint != "" {
		if err := review.CheckKeyOf(in.Source, in.Fingerprint); err != nil {
			return nil, err
		}
	}
	review.ShowAllowed(in.Allow)
	refusedErr := review.CheckAllowed(in.Allow)
	p.Tell(onboard.Reviewed{Review: review, Now: p.Now()})
	if refusedErr != nil {
		return nil, refusedErr
	}
	parsed, err := in.Object.VerifiedPKCS10()
	if err != nil {
		return nil, err
	}
	if err := checkSignedPlace(ctx, review.User, in, authority); err != nil {
		return nil, err
	}
	if in.trustsSigner() {
		p.Tell(SignerTrustedForServer{Authority: authority.Name(), Server: in.Endpoint.Server})
	}
	if in.DryRun {
		p.Tell(NothingSigned{User: review.User, Authority: authority.Name(), Lifetime: in.Lifetime})
		return nil, nil
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
		return nil, outcome.WithHint(fmt.Errorf("the log of issued certificates cannot be written, so none was issued: %w", err),
			"name another: --log FILE")
	}
	p.Tell(onboard.CertificateIssued{NotAfter: certificate.Leaf.NotAfter, Issuer: certificate.Leaf.Issuer.String(), Asked: in.Lifetime, Given: certificate.Lifetime()})
	signed := &handoff.HandedOff{User: parsed.User(), Certificate: certificate}
	return signed, deliverSigned(ctx, p, signed, in, authority)
}

// openAuthority reads the openAuthority's certificate and key. A key that is encrypted is
// decrypted in memory only.
func openAuthority(ctx context.Context, p *onboard.Program, in Input) (*pki.Authority, error) {
	certificate, err := in.Inputs.Read(in.CertificateFile)
	if err != nil {
		return nil, unreadFile("--ca-cert", err)
	}
	key, err := in.Inputs.Read(in.KeyFile)
	if err != nil {
		return nil, unreadFile("--ca-key", err)
	}
	isEncrypted := false
	passphrase := func() ([]byte, error) {
		isEncrypted = true
		return askPassphrase(ctx, p, in)
	}
	authority, err := pki.NewAuthority(certificate, key, passphrase, p.Now())
	switch {
	case err != nil:
		return nil, err
	case in.PassphraseFile != "" && !isEncrypted:
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--passphrase-file does nothing: --ca-key %q is not encrypted", in.KeyFile),
			"leave it out, or name the encrypted key")
	}
	if store.OthersMayRead(in.KeyFile) {
		p.Tell(AuthorityKeyNotPrivate{Path: in.KeyFile})
	}
	return authority, nil
}

// unreadFile is the error of a file that a flag names. A pipe that was not waited for any
// longer is not wrong usage.
func unreadFile(flag string, err error) error {
	if errors.Is(err, outcome.ErrInterrupted) || errors.Is(err, outcome.ErrTimedOut) {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return outcome.Errorf(outcome.ErrUsage, "%s: %w", flag, err)
}

func askPassphrase(ctx context.Context, p *onboard.Program, in Input) ([]byte, error) {
	if in.PassphraseFile == "" {
		return in.AskPassphrase(ctx)
	}
	data, err := in.Inputs.Read(in.PassphraseFile)
	if err != nil {
		return nil, unreadFile("--passphrase-file", err)
	}
	if store.OthersMayRead(in.PassphraseFile) {
		p.Tell(PassphraseNotPrivate{Path: in.PassphraseFile})
	}
	return pki.FirstLine(data), nil
}

// trustsSigner reports whether the handoff has the signing authority vouch for the API
// server as well, because no other is named.
func (in Input) trustsSigner() bool {
	return in.Endpoint != nil && len(in.Endpoint.CertificateAuthority) == 0 && !in.Endpoint.InsecureSkipVerify
}

// handoffOf is where and what to write for a cluster.
func (in Input) handoffOf(authority *pki.Authority) (kubeconfig.Endpoint, handoff.Input) {
	endpoint := *in.Endpoint
	if in.trustsSigner() {
		endpoint.CertificateAuthority = authority.PEM()
	}
	return endpoint, handoff.Input{Path: in.Path, Fetch: in.Fetch}
}

// checkSignedPlace finds what would keep the file from being written, before there
// is a certificate.
func checkSignedPlace(ctx context.Context, user identity.User, in Input, authority *pki.Authority) error {
	if in.Endpoint != nil {
		endpoint, file := in.handoffOf(authority)
		return handoff.CheckAt(ctx, user, endpoint, file)
	}
	switch {
	case in.Path == "-":
		return nil
	case store.Exists(in.Path):
		return alreadyThere(in.Path)
	case !store.IsDirectory(filepath.Dir(in.Path)):
		return outcome.WithHint(fmt.Errorf("directory %q not found", filepath.Dir(in.Path)), "create it, or name another place: --out FILE")
	}
	return outcome.AddHint(store.CheckCreatable(store.SignedCertificate, in.Path), "name another place: --out FILE")
}

func alreadyThere(path string) error {
	return outcome.WithHint(fmt.Errorf("the file %q already exists", path), "move it away, or name another: --out FILE")
}

func deliverSigned(ctx context.Context, p *onboard.Program, signed *handoff.HandedOff, in Input, authority *pki.Authority) error {
	if in.Endpoint != nil {
		endpoint, file := in.handoffOf(authority)
		destination.WarnOf(p.Tell, endpoint, true)
		return handoff.Write(ctx, p, endpoint, signed, file)
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
	p.Tell(destination.CertificateWritten{Path: in.Path, User: signed.User})
	return nil
}
