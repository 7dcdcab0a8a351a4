package handoff

import (
	"context"
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
	// Kubeconfig says what to write and where to.
	Kubeconfig destination.Input
	// VerifyLogin reports whether to log in before the kubeconfig is written, if the
	// cluster can be reached.
	VerifyLogin bool
	// LoginTimeout is how long to try to reach the cluster. Required.
	LoginTimeout time.Duration
}

// Fetch makes a user's kubeconfig of the handoff that an administrator sent
// back, and of the key that never left them. The endpoint that the handoff names has to be
// bound to the certificate or confirmed by the person (see Trust). The cluster need
// not be reached; where it can be, the certificate has to log in.
func Fetch(ctx context.Context, p *onboard.Program, in FetchInput) (*onboard.Fetched, error) {
	key, keyPEM, err := onboard.ReadKey(in.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, outcome.WithHint(
			fmt.Errorf("private key of %q not found: %w", in.Name, err),
			"run this where the key was created; or name its directory: --dir DIR")
	}
	if err != nil {
		return nil, err
	}
	user, err := onboard.ReadUser(in.Directory, in.Name, key)
	if err != nil {
		return nil, outcome.WithHint(err, "run new-user --offline again with the same groups: it creates the request again from the same key")
	}
	handoff, certificate, err := readHandoff(in)
	if err == nil {
		err = pki.Match(certificate, key.Public(), user, p.Now())
	}
	if err == nil {
		err = pki.CheckNotForged(certificate, handoff.Endpoint.CertificateAuthority)
	}
	if err == nil {
		err = checkTrust(ctx, p, in, handoff.Endpoint, certificate)
	}
	if err != nil {
		return nil, outcome.WithHint(fmt.Errorf("the handoff %q cannot be used: %w", in.Source, err),
			"nothing was written; ask the administrator for the handoff of the request %s", identity.PrintableSentence(in.Directory.RequestPath()))
	}
	if in.Kubeconfig.Namespace == "" {
		in.Kubeconfig.Namespace = handoff.Namespace
	}
	to := destination.New(handoff.Endpoint, in.Kubeconfig, in.Directory, user)
	if err := to.CheckEarly(ctx); err != nil {
		return nil, err
	}
	p.Tell(onboard.CertificateIssued{NotAfter: certificate.Leaf.NotAfter, Issuer: certificate.Leaf.Issuer.String()})
	credentials := kubeconfig.Credentials{Certificate: certificate.PEM, Key: keyPEM}
	fetched := &onboard.Fetched{User: user, Certificate: certificate}
	if in.VerifyLogin {
		if fetched.LoggedIn, err = tryLogIn(ctx, p, in, to.Endpoint, user, credentials); err != nil {
			return nil, err
		}
	}
	fetched.Written, err = to.Deliver(ctx, p.Run(), destination.Issued{Certificate: certificate, Credentials: credentials, LoggedIn: fetched.LoggedIn})
	return fetched, err
}

// readHandoff reads what was sent: a kubeconfig, or a certificate alone.
func readHandoff(in FetchInput) (*kubeconfig.Handoff, *pki.Certificate, error) {
	handoff := &kubeconfig.Handoff{Certificate: in.Data}
	if in.Endpoint != nil {
		handoff.Endpoint = *in.Endpoint
	} else {
		var err error
		if handoff, err = kubeconfig.DecodeHandoff(in.Data); err != nil {
			return nil, nil, err
		}
	}
	certificate, err := pki.ParseCertificate(handoff.Certificate)
	return handoff, certificate, err
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
