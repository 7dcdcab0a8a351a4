package cluster

import (
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Login is what a person calls the credentials of a client, and what is known of them
// beyond the client's configuration.
type Login struct {
	// Context is the kubeconfig context's name. Optional.
	Context string
	// Cached is the certificate, in PEM, that this program hands out as a credential
	// plugin. Optional.
	Cached []byte
}

// DescribeLogin has the client's errors name the credentials as a person does. describe
// is called when there is such an error; now is the clock.
func (c *Client) DescribeLogin(describe func() Login, now func() time.Time) {
	c.describeLogin, c.now = describe, now
}

// ownLogin is what a client logs in with, as far as that is known without asking.
type ownLogin struct {
	// context is the kubeconfig context's name; "" where it is not known.
	context string
	// certificate is the client certificate; nil where there is none that can be read.
	certificate *pki.Certificate
	// isAnonymous reports that there are no credentials at all.
	isAnonymous bool
	// isCached reports that this program hands out the certificate.
	isCached bool
	now      time.Time
}

// login reads what the client logs in with. It is for errors, and need not be fast.
func (c *Client) login() ownLogin {
	login := ownLogin{now: c.now()}
	var described Login
	if c.describeLogin != nil {
		described = c.describeLogin()
	}
	login.context = described.Context
	encoded := described.Cached
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
		return request.AfterExpiry(user) + "; or choose another context: --context NAME",
			fmt.Errorf("%s expired %s, and this machine's clock says %s", whose, pki.Stamp(leaf.NotAfter), pki.Stamp(l.now))
	case l.now.Before(leaf.NotBefore):
		return request.BeforeValidity,
			fmt.Errorf("%s is not valid before %s, and this machine's clock says %s", whose, pki.Stamp(leaf.NotBefore), pki.Stamp(l.now))
	}
	return "", nil
}
