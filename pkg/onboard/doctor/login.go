package doctor

import (
	"context"
	"crypto"
	"errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// probeUser is whom a probe's certificate names.
const probeUser = "csr-onboard-probe"

// probed is what came of logging in with a probe's certificate.
type probed struct {
	// wasTried reports whether the server has answered.
	wasTried bool
	// loginErr is why the certificate does not log in; nil if it does.
	loginErr error
}

// hasLoggedIn reports whether the probe's certificate has logged in.
func (p probed) hasLoggedIn() bool { return p.wasTried && p.loginErr == nil }

// logIn logs in with the probe's certificate, whose key is in memory only.
func (d *examination) logIn(ctx context.Context, review *request.Review, key crypto.Signer) probed {
	encoded, err := pki.EncodeKey(key)
	if err != nil || review.Certificate == nil {
		return probed{}
	}
	credentials := kubeconfig.Credentials{Certificate: review.Certificate.PEM, Key: encoded}
	_, err = cluster.ProveLogIn(ctx, d.program.Cluster.LogIn, credentials, probeUser)
	var loginErr *cluster.LoginError
	switch {
	case cluster.IsUnreachable(err), errors.Is(err, outcome.ErrInterrupted):
		return probed{}
	case !errors.As(err, &loginErr):
		return probed{wasTried: true}
	case loginErr.Err != nil:
		return probed{wasTried: true, loginErr: loginErr.Err}
	}
	return probed{wasTried: true, loginErr: errors.New("the API server accepts it as " + identity.Quote(loginErr.TakenFor))}
}

// checkReached finds out whether client certificates reach the API server: not where TLS
// ends at a proxy in front of it.
func (d *examination) checkReached(ctx context.Context) {
	const name = "client-certificates"
	if d.probed.hasLoggedIn() {
		d.add(name, Pass, "", "client certificates reach the API server: the probe's has logged in")
		return
	}
	server := d.program.Cluster.Endpoint().Server
	asks, err := d.program.Cluster.AsksForClientCertificates(ctx)
	switch {
	case err != nil:
		d.unknown(name, err, "whether client certificates reach the API server is unknown")
	case !asks:
		d.add(name, Fail, cluster.TLSInBetween, "client certificates do not reach the API server: %s does not ask for one when a connection is made, so TLS ends there, such as at a proxy", server)
	case d.probed.wasTried && d.signerIsAccepted(ctx):
		d.add(name, Fail, cluster.TLSInBetween, "the probe's certificate does not log in at %s, although the API server trusts who signed it: %v", server, d.probed.loginErr)
	default:
		d.add(name, Pass, "", "%s asks for client certificates", server)
	}
}

// signerIsAccepted reports whether the API server is known to trust who signed the newest
// certificate.
func (d *examination) signerIsAccepted(ctx context.Context) bool {
	last := d.lastIssued()
	published, err := d.program.Cluster.ControlPlane().ClientAuthorities(ctx)
	if last == nil || err != nil {
		return false
	}
	accepted := pki.ParseClientAuthorities(published)
	if accepted == nil {
		return false
	}
	_, err = accepted.EverAuthorityOf(last.Certificate)
	return err == nil
}

// holdSigner is what to do where the API server does not trust who signs.
const holdSigner = "add the CA of the controller manager's --cluster-signing-cert-file to the API server's --client-ca-file"

// checkClientAuthority finds out whether the API server trusts who signs. A login with the
// probe's certificate says more than any comparison.
func (d *examination) checkClientAuthority(ctx context.Context) {
	const name = "client-authority"
	if d.probed.hasLoggedIn() {
		d.add(name, Pass, "", "the API server accepts what the signer signs: the probe's certificate has logged in")
		return
	}
	last := d.lastIssued()
	if last == nil {
		d.add(name, Unknown, d.withoutCertificate(), "no certificate found that could be compared with the API server's client CA")
		return
	}
	published, err := d.program.Cluster.ControlPlane().ClientAuthorities(ctx)
	switch {
	case err != nil && d.probed.wasTried:
		d.add(name, Fail, holdSigner, "the probe's certificate does not log in: %v", d.probed.loginErr)
		return
	case err != nil:
		d.unknown(name, err, "it is unknown which client certificates the API server accepts")
		return
	}
	accepted := pki.ParseClientAuthorities(published)
	if accepted == nil {
		d.add(name, Fail, "start the API server with --client-ca-file", "the API server accepts no client certificates")
		return
	}
	if _, err := accepted.EverAuthorityOf(last.Certificate); err != nil {
		d.add(name, Fail, holdSigner, "the API server does not accept what the signer signs: %v", err)
		return
	}
	d.add(name, Pass, "", "the API server accepts what the signer signs")
}
