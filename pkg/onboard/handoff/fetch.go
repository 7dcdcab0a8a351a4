package handoff

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// FetchInput is what it takes to turn a handoff into a kubeconfig.
type FetchInput struct {
	// Name is the user's name. Required.
	Name string
	// Directory is where their key and request are, and where their kubeconfig goes.
	// Required.
	Directory store.UserDirectory
	// Source is the handoff file's name, and Data what is in it. Required.
	Source string
	Data   []byte
	// Endpoint is how the cluster is reached, for a bare certificate, which does
	// not say it. Nil for a handoff kubeconfig.
	Endpoint *kubeconfig.Endpoint
	// Trust is what the person says of the handoff. Required.
	Trust Trust
	// Kubeconfig says what to write and where to, for one cluster.
	Kubeconfig destination.Input
	// VerifyLogin reports whether to log in before the kubeconfig is written, if the
	// cluster can be reached.
	VerifyLogin bool
	// LoginTimeout is how long to try to reach the cluster. Required.
	LoginTimeout time.Duration
}

// Sent is what an administrator sent back, as it was parsed. Nothing in it is believed yet.
type Sent struct {
	in       FetchInput
	handoffs []kubeconfig.Handoff
}

// Parse reads what was sent: a kubeconfig for one cluster or for several, or a certificate alone.
func Parse(in FetchInput) (*Sent, error) {
	if in.Endpoint != nil {
		return &Sent{in, []kubeconfig.Handoff{{Endpoint: *in.Endpoint, Certificate: in.Data}}}, nil
	}
	handoffs, err := kubeconfig.DecodeHandoff(in.Data)
	if err != nil {
		return nil, in.unreadable(err)
	}
	return &Sent{in, handoffs}, nil
}

// Clusters are the names of the clusters in it.
func (s *Sent) Clusters() []string { return clustersOf(s.handoffs) }

func clustersOf(handoffs []kubeconfig.Handoff) []string {
	names := make([]string, len(handoffs))
	for i, one := range handoffs {
		names[i] = one.Endpoint.Cluster
	}
	return names
}

// Checked is what was sent for one cluster, and was checked as far as that is possible without it.
type Checked struct {
	// Cluster is the cluster's name in the handoff.
	Cluster string

	program     *onboard.Program
	in          FetchInput
	handoff     kubeconfig.Handoff
	certificate *pki.Certificate
	user        identity.User
	keyPEM      []byte
}

// Check checks all of what was sent, before anything is sent to a cluster or written: each
// certificate has to be for a key of the user and for the user alone, and each endpoint has to be
// bound to the certificate or confirmed by the person (see Trust). on is the program that tells
// what happens about a cluster.
func (s *Sent) Check(ctx context.Context, on func(name string) *onboard.Program) ([]*Checked, error) {
	trusts, err := s.in.Trust.byCluster(s.handoffs)
	if err != nil {
		return nil, s.in.unusable(err)
	}
	var all []*Checked
	for _, handoff := range s.handoffs {
		name := handoff.Endpoint.Cluster
		one := &Checked{Cluster: name, program: on(name), in: s.in, handoff: handoff}
		one.in.Trust = trusts[name]
		if err := one.check(ctx, len(s.handoffs) > 1); err != nil {
			if len(s.handoffs) > 1 {
				err = fmt.Errorf("cluster %s: %w", identity.Quote(name), err)
			}
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// check checks a handoff. Of one of several clusters the key may be where those of several are.
func (c *Checked) check(ctx context.Context, isOneOfSeveral bool) error {
	certificate, err := pki.ParseCertificate(c.handoff.Certificate)
	if err != nil {
		return c.in.unreadable(err)
	}
	directory := c.in.Directory
	if isOneOfSeveral {
		if own := directory.ForCluster(c.Cluster); holdsKeyOf(own, certificate) {
			directory = own
		}
	}
	key, keyPEM, user, err := c.in.readOwn(directory)
	if err != nil {
		return err
	}
	c.certificate, c.keyPEM, c.user = certificate, keyPEM, user
	err = pki.Match(certificate, key.Public(), c.user, c.program.Now())
	if err == nil {
		err = pki.CheckNotForged(certificate, c.handoff.Endpoint.CertificateAuthority)
	}
	if err == nil {
		err = checkTrust(ctx, c.program, c.in.Trust, c.in.Endpoint != nil, c.handoff.Endpoint, certificate)
	}
	if err != nil {
		return c.in.unusable(err)
	}
	return nil
}

// holdsKeyOf reports whether the key in a directory is that of a certificate.
func holdsKeyOf(directory store.UserDirectory, certificate *pki.Certificate) bool {
	if !directory.HasKey() {
		return false
	}
	key, _, err := onboard.ReadKey(directory)
	return err == nil && pki.SamePublicKey(key.Public(), certificate.Leaf.PublicKey)
}

// Fetch makes a user's kubeconfig of what was sent for a cluster, and of the key that never left
// the user. The cluster need not be reached; where it can be, the certificate has to log in. to
// says what to write, below a directory of the user.
func (c *Checked) Fetch(ctx context.Context, to destination.Input, directory store.UserDirectory) (*onboard.Fetched, error) {
	if to.Namespace == "" {
		to.Namespace = c.handoff.Namespace
	}
	destined := destination.New(c.handoff.Endpoint, to, directory, c.user)
	if err := destined.CheckEarly(ctx); err != nil {
		return nil, err
	}
	c.program.Tell(onboard.CertificateIssued{NotAfter: c.certificate.Leaf.NotAfter, Issuer: c.certificate.Leaf.Issuer.String()})
	credentials := kubeconfig.Credentials{Certificate: c.certificate.PEM, Key: c.keyPEM}
	fetched := &onboard.Fetched{User: c.user, Certificate: c.certificate}
	if c.in.VerifyLogin {
		var err error
		if fetched.LoggedIn, err = tryLogIn(ctx, c.program, c.in, destined.Endpoint, c.user, credentials); err != nil {
			return nil, err
		}
	}
	var err error
	fetched.Written, err = destined.Deliver(ctx, c.program.Run(), destination.Issued{Certificate: c.certificate, Credentials: credentials, LoggedIn: fetched.LoggedIn})
	return fetched, err
}

// Fetch makes a user's kubeconfig of a handoff for one cluster: it checks it (see Sent.Check), and
// writes what Kubeconfig says.
func (s *Sent) Fetch(ctx context.Context, p *onboard.Program) (*onboard.Fetched, error) {
	all, err := s.Check(ctx, func(string) *onboard.Program { return p })
	if err != nil {
		return nil, err
	}
	return all[0].Fetch(ctx, s.in.Kubeconfig, s.in.Directory)
}

// readOwn reads the user's own key, and whom the request next to it is for.
func (in FetchInput) readOwn(directory store.UserDirectory) (key crypto.Signer, keyPEM []byte, user identity.User, err error) {
	key, keyPEM, err = onboard.ReadKey(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, user, outcome.WithHint(
			fmt.Errorf("private key of %q not found: %w", in.Name, err),
			"run this where the key was created; or name its directory: --dir DIR")
	}
	if err != nil {
		return nil, nil, user, err
	}
	if user, err = onboard.ReadUser(directory, in.Name, key); err != nil {
		return nil, nil, user, outcome.WithHint(err, "run new-user --offline again with the same groups: it creates the request again from the same key")
	}
	return key, keyPEM, user, nil
}

// unreadable is the error of what was sent and cannot be read. What is wrong with the user's own files
// comes before it: they are what the user can repair. Without a key in the user's own directory, the keys
// may be in those of several clusters, which only what was sent names.
func (in FetchInput) unreadable(err error) error {
	if in.Directory.HasKey() {
		if _, _, _, ownErr := in.readOwn(in.Directory); ownErr != nil {
			return ownErr
		}
	}
	return in.unusable(err)
}

// unusable is the error of what was sent and cannot be used.
func (in FetchInput) unusable(err error) error {
	if errors.Is(err, outcome.ErrInterrupted) {
		// Nothing is known to be wrong with it.
		return err
	}
	return outcome.WithHint(fmt.Errorf("the handoff %q cannot be used: %w", in.Source, err),
		"nothing was written; ask the administrator for the handoff of the request %s", identity.PrintableSentence(in.Directory.RequestPath()))
}

// tryLogIn logs in if the cluster can be reached, and tells where it cannot.
func tryLogIn(ctx context.Context, p *onboard.Program, in FetchInput, endpoint kubeconfig.Endpoint, user identity.User, credentials kubeconfig.Credentials) (loggedIn bool, _ error) {
	const forged = "the handoff may be of another cluster, or forged; "
	client, err := cluster.New(onboard.TargetAt(p, endpoint, in.LoginTimeout), cluster.ByCertificate(credentials))
	if err != nil {
		return false, outcome.WithHint(err, forged+onboard.SkipLogin)
	}
	me, err := cluster.ProveLogIn(ctx, client.LogIn, credentials, user.Name)
	switch {
	case errors.Is(err, cluster.ErrUnreachable):
		p.Tell(ClusterUnreachable{Reason: errors.Unwrap(err)})
		return false, nil
	case errors.Is(err, outcome.ErrInterrupted):
		return false, errors.Unwrap(err)
	case isUnknownAuthority(err):
		return false, outcome.ReplaceHint(err,
			"nothing was written; the handoff trusts %s, which did not sign the API server's certificate: ask for a handoff with the certificate authority (CA) of the API server (sign … --certificate-authority FILE); if the CA is right, the handoff is of another cluster, or forged",
			authorityName(endpoint))
	case err != nil:
		return false, onboard.LoginFailed(ctx, client, err, forged)
	}
	p.Tell(onboard.LoggedIn{User: me})
	return true, nil
}

// isUnknownAuthority reports whether the API server's certificate is signed by a CA that
// the kubeconfig does not trust.
func isUnknownAuthority(err error) bool {
	var unknownErr x509.UnknownAuthorityError
	return errors.As(err, &unknownErr)
}

// authorityName is the subject of the CA that an endpoint trusts, safe to print.
func authorityName(endpoint kubeconfig.Endpoint) string {
	parsed, err := pki.ParseCertificate(endpoint.CertificateAuthority)
	if err != nil {
		return "this machine's certificate authorities"
	}
	return "the CA " + identity.Quote(parsed.Leaf.Subject.String())
}
