package connection

import (
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// DescribeCredentials has the errors of the connection name the credentials as a person
// does: by the name of the kubeconfig's context, and with the certificate, in PEM, that this
// program hands out as a credential plugin, where it does. describe is called when there is
// such an error.
func (c *Connection) DescribeCredentials(describe func() (context string, cached []byte)) {
	c.describeCredentials = describe
}

// ownLogin is what a client logs in with, as far as that is known without asking.
type ownLogin struct {
	// context is the kubeconfig context's name; "" where it is unknown.
	context string
	// certificate is the client certificate; nil where there is none that can be read.
	certificate *pki.Certificate
	// isAnonymous reports that the credentials are empty.
	isAnonymous bool
	// isCached reports that csr-onboard hands out the certificate.
	isCached bool
	now      time.Time
}

// login reads what the client logs in with. It is for errors, and need not be fast.
func (c *Connection) login() ownLogin {
	login := ownLogin{now: c.Now()}
	var encoded []byte
	if c.describeCredentials != nil {
		login.context, encoded = c.describeCredentials()
	}
	login.isCached = encoded != nil
	if encoded == nil {
		files := &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: c.config.CertData, CertFile: c.config.CertFile}}
		if rest.LoadTLSFiles(files) == nil {
			encoded = files.CertData
		}
	}
	if certificate, err := pki.ParseCertificate(encoded); err == nil {
		login.certificate = certificate
	}
	login.isAnonymous = !hasCredentials(c.config)
	return login
}

// hasCredentials reports whether a configuration logs in with anything.
func hasCredentials(config *rest.Config) bool {
	return len(config.CertData) > 0 || config.CertFile != "" || config.BearerToken != "" || config.BearerTokenFile != "" ||
		config.Username != "" || config.ExecProvider != nil || config.AuthProvider != nil
}

// IsByCertificate reports whether the connection has a client certificate and nothing else to
// log in with.
func (c *Connection) IsByCertificate() bool {
	if len(c.config.CertData) == 0 && c.config.CertFile == "" {
		return false
	}
	without := rest.CopyConfig(c.config)
	without.CertData, without.CertFile = nil, ""
	return !hasCredentials(without)
}

// troubleWithCertificate says that the client certificate has expired or is not valid
// yet, and what to do; nil where neither is so.
func (l ownLogin) troubleWithCertificate() (hint string, _ error) {
	if l.certificate == nil {
		return "", nil
	}
	leaf, user := l.certificate.Leaf, l.certificate.User()
	whose := fmt.Sprintf("the client certificate of %s", identity.Quote(user.Name))
	if l.context != "" {
		whose += " in the context " + identity.Quote(l.context)
	}
	switch {
	case !l.now.Before(leaf.NotAfter):
		return identity.AfterExpiry(user) + "; or choose another context: --context NAME",
			fmt.Errorf("%s expired %s, and this machine's clock says %s", whose, pki.Stamp(leaf.NotAfter), pki.Stamp(l.now))
	case l.now.Before(leaf.NotBefore):
		return identity.BeforeValidity,
			fmt.Errorf("%s is not valid before %s, and this machine's clock says %s", whose, pki.Stamp(leaf.NotBefore), pki.Stamp(l.now))
	}
	return "", nil
}
