package handoff

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Input says what becomes of an approved request.
type Input struct {
	// Timeout is how long to wait for the certificate. Required.
	Timeout time.Duration
	// Resume is the command that continues with an interrupted wait for a request,
	// for hints. Required.
	Resume func(name string) string
	// Path is the handoff file to write, or a directory for it; "-" hands the file
	// back. Optional: without it the certificate is waited for and checked, and
	// nothing is written.
	Path string
	// ExternalServer and ClusterName are as in destination.Input. Optional.
	ExternalServer, ClusterName string
	// Fetch is the command that makes a kubeconfig of a user's handoff file, with what it
	// has to be told of the endpoint in it. Required with Path.
	Fetch func(user, file string, trust Trust) string
}

// HandedOff is a user's certificate, and where their handoff file is.
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

// Each hands off each approved request. Of several, each stands for itself:
// what goes wrong with one is told, and the first such error is the result's. They are
// taken in turn: while one is waited for, the others are signed.
func Each(ctx context.Context, p *onboard.Program, objects []*request.Request, in Input) (handed []*HandedOff, firstErr error) {
	if len(objects) > 0 && in.Path != "" && in.ExternalServer == "" {
		warnIfNotReached(ctx, p)
	}
	for i, object := range objects {
		if len(objects) > 1 {
			p.Tell(onboard.Progress{Doing: "handing off", Done: i, Failed: i - len(handed), Total: len(objects)})
		}
		each, err := One(ctx, p, object, in)
		switch {
		case err == nil:
			handed = append(handed, each)
		case len(objects) == 1, errors.Is(err, outcome.ErrInterrupted):
			return handed, err
		default:
			p.Tell(NotHandedOff{Reason: err})
			if firstErr == nil {
				firstErr = err
			}
		}
	}
	if len(objects) > 1 {
		p.Tell(onboard.Progress{Doing: "handing off", Done: len(objects), Failed: len(objects) - len(handed), Total: len(objects)})
	}
	return handed, firstErr
}

func warnIfNotReached(ctx context.Context, p *onboard.Program) {
	if p.CheckReached(ctx) != nil {
		p.Tell(CertificatesNotReaching{Server: p.Cluster.Endpoint().Server})
	}
}

// One waits for the certificate of an approved request, checks that it is what
// was asked for, and writes it into a kubeconfig that has everything but the
// private key.
func One(ctx context.Context, p *onboard.Program, object *request.Request, in Input) (*HandedOff, error) {
	parsed, err := object.VerifiedPKCS10()
	if err != nil {
		return nil, err
	}
	issued, err := p.Await(ctx, in.Timeout, in.Resume(object.Name), object)
	if err != nil {
		return nil, err
	}
	certificate, err := p.CheckIssued(issued, parsed.PublicKey, parsed.User())
	if err != nil {
		return nil, err
	}
	handed := &HandedOff{User: parsed.User(), Certificate: certificate}
	if in.Path == "" {
		return handed, nil
	}
	endpoint := endpointOf(p, in)
	destination.WarnOf(p.Tell, endpoint, true)
	return handed, Write(ctx, p, endpoint, handed, in)
}

// Check finds what would keep a user's handoff from being written, before
// there is a certificate, which cannot be taken back.
func Check(ctx context.Context, p *onboard.Program, user identity.User, in Input) error {
	if in.Path == "" {
		return nil
	}
	return CheckAt(ctx, user, endpointOf(p, in), in)
}

// CheckAt is Check for a server that is not the program's.
func CheckAt(ctx context.Context, user identity.User, endpoint kubeconfig.Endpoint, in Input) error {
	return checkPlace(ctx, user, configOf(endpoint, user, nil), in)
}

// checkPlace finds what would keep a user's handoff from being written, and an existing file from
// being replaced by it.
func checkPlace(ctx context.Context, user identity.User, config *clientcmdapi.Config, in Input) error {
	path := in.pathFor(user)
	if path == "-" {
		return nil
	}
	existing, err := store.ReadFileOf(store.Handoff, path)
	if err == nil {
		if err := destination.CheckReplaceable(path, existing, config); err != nil {
			return err
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = store.CheckWritable(ctx, store.Handoff, path)
	}
	if err != nil {
		return outcome.AddHint(fmt.Errorf("the handoff could not be written: %w", err), "name another place: --out FILE, or --out DIR/")
	}
	return nil
}

func (in Input) pathFor(user identity.User) string {
	if in.Path != "" && in.Path != "-" && store.IsDirectory(in.Path) {
		return store.HandoffPath(in.Path, identity.FileName(user.Name))
	}
	return in.Path
}

func endpointOf(p *onboard.Program, in Input) kubeconfig.Endpoint {
	endpoint := p.Cluster.Endpoint()
	if in.ExternalServer != "" {
		endpoint.Server = kubeconfig.NormalServer(in.ExternalServer)
	}
	if in.ClusterName != "" {
		endpoint.Cluster = in.ClusterName
	}
	return endpoint
}

func configOf(endpoint kubeconfig.Endpoint, user identity.User, certificate []byte) *clientcmdapi.Config {
	return kubeconfig.Assemble(endpoint, kubeconfig.Credentials{Certificate: certificate}, kubeconfig.NamesFor(user.Name, endpoint.Cluster, ""), "")
}

// Write writes the file of a certificate that was checked.
func Write(ctx context.Context, p *onboard.Program, endpoint kubeconfig.Endpoint, handed *HandedOff, in Input) error {
	return write(ctx, p, handed, []Part{{Endpoint: endpoint, Certificate: handed.Certificate}}, in)
}

// write writes the file of a user's certificates, each for one cluster.
func write(ctx context.Context, p *onboard.Program, handed *HandedOff, parts []Part, in Input) error {
	user := handed.User
	config := configOfAll(user, parts)
	toConfirm, needed, err := confirmationOf(user, parts, p.Now())
	if err != nil {
		return err
	}
	path := in.pathFor(user)
	file := filepath.Base(path)
	if path == "-" {
		file = store.HandoffPath("", identity.FileName(user.Name))
	}
	what, flag := describe(parts)
	encoded, err := kubeconfig.EncodeHandoff(config,
		fmt.Sprintf("This is for %s: a kubeconfig with %s and without its private key.", user, what),
		fmt.Sprintf("Nothing in it is secret. It is only of use with the key %s.", strings.Join(toConfirm.KeyFingerprints, " or ")),
		"On the machine where that key was created:",
		"  "+in.Fetch(user.Name, file, Trust{}),
		"Somebody who replaced this file could have replaced the server and the certificate authority (CA) in it. Ask the",
		"administrator for the CA's fingerprint over another channel, and add: "+flag,
	)
	if err != nil {
		return err
	}
	toConfirm.Command = in.Fetch(user.Name, file, needed)
	p.Tell(toConfirm)
	if path == "-" {
		handed.Handoff = encoded
		return nil
	}
	err = store.UpdateFile(ctx, store.Handoff, path, func(existing []byte) ([]byte, error) {
		return encoded, destination.CheckReplaceable(path, existing, config)
	})
	if err != nil {
		return fmt.Errorf("the handoff was not written: %w", err)
	}
	handed.Path = path
	p.Tell(Written{Path: path, User: user})
	return nil
}

// confirmationOf is what a user has to be told over another channel than the file, without the command,
// and what the user has to say of the file then.
func confirmationOf(user identity.User, parts []Part, now time.Time) (toConfirm ToConfirm, needed Trust, _ error) {
	toConfirm.User, needed.OfClusters = user, map[string][]string{}
	for _, part := range parts {
		authorities, err := authoritiesOf(part.Endpoint, func(authority *x509.Certificate) bool { return part.Certificate.IsSignedBy(authority, now) })
		if err != nil {
			return toConfirm, needed, err
		}
		toConfirm.Endpoints = append(toConfirm.Endpoints, EndpointToConfirm{Cluster: part.Endpoint.Cluster, Server: part.Endpoint.Server, Authorities: authorities})
		if fingerprint := pki.Fingerprint(part.Certificate.Leaf.PublicKey); !slices.Contains(toConfirm.KeyFingerprints, fingerprint) {
			toConfirm.KeyFingerprints = append(toConfirm.KeyFingerprints, fingerprint)
		}
		trust := trustNeededFor(part.Endpoint, authorities)
		if len(parts) == 1 {
			return toConfirm, trust, nil
		}
		if len(trust.AuthorityFingerprints) > 0 {
			needed.OfClusters[part.Endpoint.Cluster] = trust.AuthorityFingerprints
		}
	}
	return toConfirm, needed, nil
}

// describe says what certificates a file has, and which flag confirms the authorities in it.
func describe(parts []Part) (what, flag string) {
	names, until := make([]string, len(parts)), parts[0].Certificate.Leaf.NotAfter
	for i, part := range parts {
		names[i] = identity.Name(part.Endpoint.Cluster)
		if notAfter := part.Certificate.Leaf.NotAfter; notAfter.Before(until) {
			until = notAfter
		}
	}
	if len(parts) == 1 {
		return "a certificate, valid until " + pki.Stamp(until) + ",", "--ca-fingerprint SHA256:..."
	}
	return fmt.Sprintf("a certificate for each of the clusters %s, valid until %s or longer,", strings.Join(names, ", "), pki.Stamp(until)),
		"--ca-fingerprint CLUSTER=SHA256:..., for each cluster"
}
