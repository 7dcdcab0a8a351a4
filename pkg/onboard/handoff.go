package onboard

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// HandoffInput says what becomes of an approved request.
type HandoffInput struct {
	// Timeout is how long to wait for the certificate. Required.
	Timeout time.Duration
	// Resume is the command that goes on with an interrupted wait for a request,
	// for hints. Required.
	Resume func(request string) string
	// Path is the handoff file to write, or a folder for it; "-" hands the file
	// back. Optional: without it the certificate is waited for and checked, and
	// nothing is written.
	Path string
	// ExternalServer and ClusterName are as in KubeconfigInput. Optional.
	ExternalServer, ClusterName string
	// Fetch is the command that makes a kubeconfig of a user's handoff file, with what it
	// has to be told of the endpoint in it. Required with Path.
	Fetch func(user, file string, trust HandoffTrust) string
}

// HandedOff is a user's certificate, and where her handoff file is.
type HandedOff struct {
	// User is whom the certificate names.
	User identity.User
	// Certificate is what the cluster signed.
	Certificate *pki.Certificate
	// Path is the file; "" if it was asked for in hand or not at all.
	Path string
	// Handoff is the file's content where it was asked for in hand.
	Handoff []byte
}

// HandOffEach hands off each approved request. Of several, each stands for itself:
// what goes wrong with one is told, and the first such error is the result's. They are
// taken in turn: while one is waited for, the others are signed.
func (p *Program) HandOffEach(ctx context.Context, decided []Decided, in HandoffInput) (handed []*HandedOff, first error) {
	if len(decided) > 0 && in.Path != "" && in.ExternalServer == "" && p.checkReached(ctx) != nil {
		p.Tell(CertificatesNotReaching{Server: p.Cluster.Endpoint().Server})
	}
	for i, one := range decided {
		if len(decided) > 1 {
			p.Tell(Progress{Doing: "handing off", Done: i, Failed: i - len(handed), Total: len(decided)})
		}
		each, err := p.HandOff(ctx, one.Object, in)
		switch {
		case err == nil:
			handed = append(handed, each)
		case len(decided) == 1, errors.Is(err, outcome.ErrInterrupted):
			return handed, err
		default:
			p.Tell(NotHandedOff{Reason: err})
			if first == nil {
				first = err
			}
		}
	}
	if len(decided) > 1 {
		p.Tell(Progress{Doing: "handing off", Done: len(decided), Failed: len(decided) - len(handed), Total: len(decided)})
	}
	return handed, first
}

// HandOff waits for the certificate of an approved request, checks that it is what
// was asked for, and writes it into a kubeconfig that has everything but the
// private key.
func (p *Program) HandOff(ctx context.Context, object *certificatesv1.CertificateSigningRequest, in HandoffInput) (*HandedOff, error) {
	parsed, err := pki.ParseRequest(object.Spec.Request)
	if err != nil {
		return nil, err
	}
	issued, err := p.await(ctx, in.Timeout, in.Resume(object.Name), object)
	if err != nil {
		return nil, err
	}
	certificate, err := p.checkIssued(issued, parsed.PublicKey, parsed.User())
	if err != nil {
		return nil, err
	}
	handed := &HandedOff{User: parsed.User(), Certificate: certificate}
	if in.Path == "" {
		return handed, nil
	}
	endpoint := p.handoffEndpoint(in)
	p.WarnOf(endpoint, true)
	return handed, p.WriteHandoff(ctx, endpoint, handed, in)
}

// CheckHandoff finds what would keep a user's handoff from being written, before
// there is a certificate, which can't be taken back.
func (p *Program) CheckHandoff(user identity.User, in HandoffInput) error {
	if in.Path == "" {
		return nil
	}
	return p.CheckHandoffAt(user, p.handoffEndpoint(in), in)
}

// CheckHandoffAt is CheckHandoff for a server that is not the program's.
func (p *Program) CheckHandoffAt(user identity.User, endpoint kubeconfig.Endpoint, in HandoffInput) error {
	path := in.pathFor(user)
	if path == "-" {
		return nil
	}
	existing, err := store.ReadFileOf(store.Handoff, path)
	if err == nil {
		if err := checkReplaceable(path, existing, handoffConfig(endpoint, user, nil)); err != nil {
			return err
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = store.CheckWritable(store.Handoff, path)
	}
	if err != nil {
		return outcome.AddHint(fmt.Errorf("the handoff could not be written: %w", err), "name another place: --out FILE, or --out DIR/")
	}
	return nil
}

func (in HandoffInput) pathFor(user identity.User) string {
	if in.Path != "" && in.Path != "-" && store.IsFolder(in.Path) {
		return store.HandoffPath(in.Path, identity.FileName(user.Name))
	}
	return in.Path
}

func (p *Program) handoffEndpoint(in HandoffInput) kubeconfig.Endpoint {
	endpoint := p.Cluster.Endpoint()
	if in.ExternalServer != "" {
		endpoint.Server = kubeconfig.NormalServer(in.ExternalServer)
	}
	if in.ClusterName != "" {
		endpoint.Cluster = in.ClusterName
	}
	return endpoint
}

func handoffConfig(endpoint kubeconfig.Endpoint, user identity.User, certificate []byte) *clientcmdapi.Config {
	return kubeconfig.Assemble(endpoint, kubeconfig.Credentials{Certificate: certificate}, kubeconfig.NamesFor(user.Name, endpoint.Cluster, ""), "")
}

// WriteHandoff writes the file of a certificate that was checked.
func (p *Program) WriteHandoff(ctx context.Context, endpoint kubeconfig.Endpoint, handed *HandedOff, in HandoffInput) error {
	user, leaf := handed.User, handed.Certificate.Leaf
	authorities, err := authoritiesOf(endpoint, func(authority *x509.Certificate) bool { return handed.Certificate.IsSignedBy(authority, p.Now()) })
	if err != nil {
		return err
	}
	config := handoffConfig(endpoint, user, handed.Certificate.PEM)
	file := store.HandoffPath("", identity.FileName(user.Name))
	encoded, err := kubeconfig.EncodeHandoff(config,
		fmt.Sprintf("This is for %s: a kubeconfig with a certificate, good until %s, and without its private key.", user, leaf.NotAfter.UTC().Format(time.RFC3339)),
		fmt.Sprintf("Nothing in it is secret. It is of use to whoever holds the key %s only.", pki.Fingerprint(leaf.PublicKey)),
		"On the machine where that key was made:",
		"  "+in.Fetch(user.Name, file, HandoffTrust{}),
		"Whoever exchanged this file could have exchanged server and certificate authority (CA) in it. Ask the",
		"administrator for the CA's fingerprint over another channel, and add: --ca-fingerprint SHA256:...",
	)
	if err != nil {
		return err
	}
	p.Tell(HandoffToConfirm{
		User: user, Server: endpoint.Server, Authorities: authorities, KeyFingerprint: pki.Fingerprint(leaf.PublicKey),
		Command: in.Fetch(user.Name, file, trustNeededFor(endpoint, authorities)),
	})
	path := in.pathFor(user)
	if path == "-" {
		handed.Handoff = encoded
		return nil
	}
	err = store.UpdateFile(ctx, store.Handoff, path, func(existing []byte) ([]byte, error) {
		return encoded, checkReplaceable(path, existing, config)
	})
	if err != nil {
		return fmt.Errorf("the handoff was not written: %w", err)
	}
	handed.Path = path
	p.Tell(HandoffWritten{Path: path, User: user})
	return nil
}

// checkReplaceable refuses to write a kubeconfig in the place of anything but an
// older one of the same user on the same cluster.
func checkReplaceable(path string, existing []byte, config *clientcmdapi.Config) error {
	if existing == nil {
		return nil
	}
	const hint = "move it away, or name another place: --out FILE"
	old, err := kubeconfig.Decode(existing)
	if err != nil {
		return outcome.WithHint(fmt.Errorf("the file %q already exists, and is not a kubeconfig", path), hint)
	}
	if kind, name, only := kubeconfig.IsOnly(old, config); !only {
		return outcome.WithHint(fmt.Errorf("the kubeconfig %q already exists, and its %s %q would be lost", path, kind, name), hint)
	}
	return nil
}

// checkIssued says whether what a signer stored is the certificate that was asked
// for.
func (p *Program) checkIssued(issued *certificatesv1.CertificateSigningRequest, key any, user identity.User) (*pki.Certificate, error) {
	certificate, err := pki.ParseCertificate(issued.Status.Certificate)
	if err == nil {
		err = pki.Match(certificate, key, user, p.Now())
		if !p.Now().Before(certificate.Leaf.NotAfter) {
			err = outcome.WithHint(err, "nothing was written; request another, with a new key: run new-user again with the same groups")
		}
	}
	if err != nil {
		return nil, outcome.WithHint(
			fmt.Errorf("the certificate in certificate signing request %q can't be used: %w", issued.Name, err),
			"nothing was written; ask the administrator what signed it: %s", identity.NewCommand("kubectl get csr").Argument(issued.Name).Words("-o yaml"))
	}
	p.Tell(CertificateIssued{
		NotAfter: certificate.Leaf.NotAfter,
		Asked:    request.LifetimeOf(issued),
		Given:    certificate.Lifetime(),
	})
	return certificate, nil
}
