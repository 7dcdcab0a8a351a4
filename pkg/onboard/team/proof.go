package team

import (
	"context"
	"crypto/x509"
	"sync"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// proof proves that the certificates of many users log in, without a TLS handshake
// for each, which would be a good part of the work of onboarding them
// (docs/decisions/0009-one-login-proves-a-team.md).
//
// An API server takes a client certificate if it chains to one of the authorities that
// the server publishes, is good for client authentication, and is valid now. So one
// certificate of each authority and kind of key logs in; one like it is verified against
// that authority, as the API server would. Where the authorities cannot be read, or a
// certificate is of none of them, it logs in by itself.
type proof struct {
	program     *onboard.Program
	authorities func() *pki.ClientAuthorities

	// proven has the kinds of certificate of which one has logged in.
	proven sync.Map
}

// certificateKind is what certificates have in common of which one proves all.
type certificateKind struct {
	// authority is the authority's certificate in DER, key what the public key is.
	authority, key string
}

func newProof(ctx context.Context, p *onboard.Program) *proof {
	return &proof{
		program: p,
		authorities: sync.OnceValue(func() *pki.ClientAuthorities {
			published, err := p.Cluster.ControlPlane().ClientAuthorities(ctx)
			if err != nil {
				return nil
			}
			return pki.ParseClientAuthorities(published)
		}),
	}
}

func (t *proof) prove(ctx context.Context, user identity.User, certificate *pki.Certificate, credentials kubeconfig.Credentials) (loggedIn bool, _ error) {
	authority := t.authorityOf(certificate)
	var kind certificateKind
	if authority != nil {
		kind = certificateKind{authority: string(authority.Raw), key: pki.DescribeKey(certificate.Leaf.PublicKey)}
		if _, isProven := t.proven.Load(kind); isProven {
			return false, nil
		}
	}
	if err := t.program.ProveLogIn(ctx, user, credentials, t.program.Cluster.LogIn); err != nil {
		return false, err
	}
	if authority != nil {
		// Several may have logged in at the same time.
		if _, wasProven := t.proven.LoadOrStore(kind, true); !wasProven {
			t.program.Tell(CertificatesProven{User: user, Key: kind.key, Authority: authority.Subject.String()})
		}
	}
	return true, nil
}

// authorityOf is the authority by which the API server takes a certificate; nil where
// that is unknown.
func (t *proof) authorityOf(certificate *pki.Certificate) *x509.Certificate {
	authorities := t.authorities()
	if authorities == nil {
		return nil
	}
	authority, err := authorities.AuthorityOf(certificate, t.program.Now())
	if err != nil {
		return nil
	}
	return authority
}
