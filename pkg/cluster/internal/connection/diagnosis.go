package connection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// diagnosis is the cause of a failed call, in words, and what to try.
type diagnosis struct {
	// kind is the outcome it stands for; nil for a plain failure.
	kind error
	// cause is what went wrong. It fits behind "could not …: ".
	cause error
	// isForbidden reports whether the API server knows who asks and refuses it.
	isForbidden bool
	hint        string
}

// diagnose finds the cause of an error in what the server, the network, and the
// client's own credentials say.
func (c *Connection) diagnose(err error) diagnosis {
	for _, recognize := range []func(error) (diagnosis, bool){
		c.diagnoseUnusableAnswer,
		c.diagnoseNoAnswer,
		c.diagnoseOwnCertificate,
		c.diagnoseAnswer,
		c.diagnoseLoginPlugin,
		c.diagnoseServerCertificate,
		c.diagnoseAlert,
		c.diagnoseNotTLS,
		c.diagnoseProxy,
		c.diagnoseConnection,
	} {
		if found, ok := recognize(err); ok {
			return found
		}
	}
	return diagnosis{cause: err}
}

// diagnoseUnusableAnswer recognizes an answer that is too large to be read, or that is not
// what was asked for.
func (c *Connection) diagnoseUnusableAnswer(err error) (diagnosis, bool) {
	var tooLarge tooLargeError
	switch {
	case errors.As(err, &tooLarge):
		return diagnosis{
			cause: fmt.Errorf("%w, which is not read; it came from %s", tooLarge, c.Server),
			hint:  "check that this is the API server, and what it has that is so large",
		}, true
	case isNotBelieved(err):
		return diagnosis{
			cause: fmt.Errorf("the answer of %s is not believed: %w", c.Server, bare(err)),
			hint:  "something else than a Kubernetes API server may be at that address; check the cluster's entry in the kubeconfig: server, proxy-url",
		}, true
	}
	return diagnosis{}, false
}

// diagnoseNoAnswer recognizes a call that was given up.
func (c *Connection) diagnoseNoAnswer(err error) (diagnosis, bool) {
	if !errors.Is(err, context.DeadlineExceeded) {
		return diagnosis{}, false
	}
	return diagnosis{
		kind:  ErrUnreachable,
		cause: fmt.Errorf("%s did not answer within %s", c.Server, c.timeout),
		hint:  "try again, or give it longer: --request-timeout 2m",
	}, true
}

// diagnoseOwnCertificate recognizes credentials that are refused because the client
// certificate among them has expired or is not valid yet. The API server does not say
// so: it answers 401 whatever is wrong with a certificate.
func (c *Connection) diagnoseOwnCertificate(err error) (diagnosis, bool) {
	if !apierrors.IsUnauthorized(err) && !isOfLoginPlugin(err) && !isAlertAboutCertificate(err) {
		return diagnosis{}, false
	}
	hint, certificateErr := c.login().troubleWithCertificate()
	switch {
	case certificateErr == nil:
		return diagnosis{}, false
	case isOfLoginPlugin(err):
		// The server was not asked.
		return diagnosis{cause: certificateErr, hint: hint}, true
	}
	return diagnosis{kind: ErrNotAccepted, cause: fmt.Errorf("%w: %s does not accept it", certificateErr, c.Server), hint: hint}, true
}

// diagnoseAnswer recognizes what an HTTP status says.
func (c *Connection) diagnoseAnswer(err error) (diagnosis, bool) {
	server := c.Server
	var status apierrors.APIStatus
	switch {
	case !errors.As(err, &status):
		return diagnosis{}, false
	case IsRevoked(err):
		return diagnosis{cause: revokedError{err}, isForbidden: true, hint: askAboutRevocation}, true
	case apierrors.IsUnauthorized(err) && c.login().isAnonymous:
		return diagnosis{
			kind:  ErrNotAccepted,
			cause: fmt.Errorf("%s requires credentials, and the kubeconfig has none for this context", server),
			hint:  noCredentials,
		}, true
	case apierrors.IsUnauthorized(err):
		return diagnosis{
			kind:  ErrNotAccepted,
			cause: fmt.Errorf("%s does not accept these credentials", server),
			hint:  "they may have expired or be another cluster's; see: kubectl auth whoami",
		}, true
	case apierrors.IsForbidden(err) && IsForeignAnswer(err):
		return diagnosis{cause: fmt.Errorf("something in front of the API server %s refuses it: %w", server, err), hint: refusedInFront}, true
	case apierrors.IsForbidden(err) && isAnonymous(err):
		return diagnosis{cause: err, isForbidden: true, hint: c.whyAnonymous()}, true
	case IsDeniedByAdmission(err):
		return diagnosis{cause: err, isForbidden: apierrors.IsForbidden(err), hint: deniedByAdmission}, true
	case apierrors.IsForbidden(err):
		return diagnosis{cause: err, isForbidden: true, hint: "ask an administrator for that verb on " + resourceOf(status.Status())}, true
	case apierrors.IsNotFound(err) && IsForeignAnswer(err):
		return diagnosis{cause: fmt.Errorf("%s does not answer as an API server does: %w", server, err), hint: notAnAPIServer}, true
	case status.Status().Code == http.StatusProxyAuthRequired:
		return diagnosis{cause: err, hint: proxyAuthentication}, true
	case apierrors.IsTooManyRequests(err), status.Status().Code >= http.StatusInternalServerError:
		return diagnosis{cause: err, hint: "the API server, or a proxy in front of it, is overloaded or starting; try again in a moment"}, true
	}
	return diagnosis{}, false
}

// IsRevoked reports whether the API server refuses a call because who makes it is revoked.
func IsRevoked(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && access.IsRevokedAnswer(status.Status().Message)
}

// revokedError is the answer to the revoked in words: without a denier, the API server says it
// in the error of an expression.
type revokedError struct{ answer error }

func (e revokedError) Error() string {
	_, reason, isGiven := strings.Cut(e.answer.Error(), access.RevokedMessage+": ")
	if !isGiven || !apierrors.IsForbidden(e.answer) {
		return access.RevokedMessage
	}
	return access.RevokedMessage + ": " + reason
}

func (e revokedError) Unwrap() error { return e.answer }

// IsDeniedByAdmission reports whether an admission policy or webhook of the cluster denies a call,
// which says nothing about the permissions of who makes it. A status has no reason code for it: these
// are the words of k8s.io/apiserver (pkg/admission/plugin/policy/validating/dispatcher.go,
// pkg/admission/plugin/webhook/errors/statuserror.go) and of the plugin CertificateSubjectRestriction
// (plugin/pkg/admission/certificates/subjectrestriction/admission.go).
func IsDeniedByAdmission(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	text := status.Status().Message
	return strings.Contains(text, "ValidatingAdmissionPolicy '") && strings.Contains(text, "' denied request: ") ||
		strings.Contains(text, `admission webhook "`) && strings.Contains(text, `" denied the request`) ||
		strings.Contains(text, "signer with system:masters group is not allowed")
}

const (
	askAboutRevocation = "ask an administrator; if the access was revoked by mistake: kubectl csr-onboard unrevoke"

	deniedByAdmission = "the cluster denies this by an admission policy or webhook, whatever permissions you have; change what its message names, or ask those who installed it"

	notAnAPIServer = "check the address and its path: something else than an API server may be answering there, or an API server that does not serve this; " + outcome.OtherCluster
	refusedInFront = "ask the operators of the proxy, load balancer or firewall in front of the API server; or use another address: --server URL"
	noCredentials  = "choose a context whose user has credentials: --context NAME; see which there are: kubectl csr-onboard status"
)

// isForeign reports whether an answer is neither a Status of the Kubernetes API nor how an
// API server answers for a path that it does not serve.
func isForeign(status metav1.Status) bool {
	if status.Details == nil {
		return false
	}
	for _, cause := range status.Details.Causes {
		if cause.Type == metav1.CauseTypeUnexpectedServerResponse && strings.TrimSpace(cause.Message) != "404 page not found" {
			return true
		}
	}
	return false
}

// IsForeignAnswer is isForeign of an error.
func IsForeignAnswer(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && isForeign(status.Status())
}

// isAnonymous reports whether the server says that it does not know who asks
// (k8s.io/apiserver pkg/endpoints/handlers/responsewriters, forbiddenMessage).
func isAnonymous(err error) bool { return strings.Contains(err.Error(), `User "system:anonymous"`) }

// whyAnonymous says what to do where the API server takes the client for nobody.
func (c *Connection) whyAnonymous() string {
	switch login := c.login(); {
	case login.isAnonymous:
		return "the kubeconfig has no credentials for this context; " + noCredentials
	case login.certificate != nil:
		return "the client certificate did not reach the API server; " + TLSInBetween
	}
	return "the credentials did not reach the API server: a proxy in front of it may remove them; see: kubectl auth whoami"
}

// TLSInBetween says why an API server may not see client certificates, and what to do.
const TLSInBetween = "TLS ends at a proxy or load balancer in front of the API server, or the API server runs without --client-ca-file; use an address at which the API server itself answers: --server URL"

// resourceOf names the resource that an answer is about, and the one object and the namespace if the
// answer does: nothing more has to be permitted.
func resourceOf(status metav1.Status) string {
	const requests = "certificatesigningrequests"
	if status.Details == nil || status.Details.Kind == "" || status.Details.Kind == requests {
		return requests + ", a resource without a namespace"
	}
	resource := status.Details.Kind
	if status.Details.Group != "" {
		resource += "." + status.Details.Group
	}
	resource = identity.Printable(resource)
	if name := status.Details.Name; len(validation.IsDNS1123Subdomain(name)) == 0 {
		resource += " named " + name
	}
	_, after, _ := strings.Cut(status.Message, `in the namespace "`)
	if namespace, _, isNamed := strings.Cut(after, `"`); isNamed && len(validation.IsDNS1123Label(namespace)) == 0 {
		resource += " in the namespace " + namespace
	}
	return resource
}

func (c *Connection) diagnoseLoginPlugin(err error) (diagnosis, bool) {
	if !isOfLoginPlugin(err) {
		return diagnosis{}, false
	}
	hint := "install or fix the login plugin that the kubeconfig names under users: exec: command"
	if c.login().isCached {
		hint = "see what is wrong with its certificate: kubectl csr-onboard status; or choose another context: --context NAME"
	}
	return diagnosis{cause: fmt.Errorf("getting credentials: %s", pluginFailure(err)), hint: hint}, true
}

// diagnoseServerCertificate recognizes why a server's certificate is not accepted.
func (c *Connection) diagnoseServerCertificate(err error) (diagnosis, bool) {
	var (
		unknownAuthority x509.UnknownAuthorityError
		hostname         x509.HostnameError
		invalid          x509.CertificateInvalidError
	)
	what, hint := "is not trusted", "check the cluster's entry in the kubeconfig: certificate-authority-data, or --certificate-authority FILE"
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what, hint = c.validityOf(invalid.Cert)
	case errors.As(err, &invalid):
		what = "is not one for a server"
		hint = "this is for the operators of the cluster to correct, or of what answers at that address; " + outcome.OtherCluster
	case errors.As(err, &hostname):
		what = "is for another name"
		hint = "use a name or an address that the certificate has: --server URL, or --tls-server-name NAME"
	case errors.As(err, &unknownAuthority):
	default:
		return diagnosis{}, false
	}
	return diagnosis{cause: fmt.Errorf("the certificate of %s %s: %w", c.Server, what, bare(err)), hint: hint}, true
}

// validityOf says of a certificate in a server's chain that is not valid now, whether it
// has expired, and what to do. crypto/x509 has one reason for both.
func (c *Connection) validityOf(certificate *x509.Certificate) (what, hint string) {
	const clock = "this machine's clock says %s; if that is wrong, set it, for example by NTP"
	now := c.Now()
	says := fmt.Sprintf(clock, pki.Stamp(now))
	if certificate != nil && now.Before(certificate.NotBefore) {
		return "is not valid before " + pki.Stamp(certificate.NotBefore), says
	}
	const renew = "; otherwise the operators of the cluster have to renew the API server's certificate, such as with: kubeadm certs renew apiserver"
	if certificate == nil {
		return "has expired", says + renew
	}
	return "has expired " + pki.Stamp(certificate.NotAfter), says + renew
}

// diagnoseAlert recognizes a TLS alert, as crypto/tls wraps it.
func (c *Connection) diagnoseAlert(err error) (diagnosis, bool) {
	if !isAlert(err) {
		return diagnosis{}, false
	}
	if isAlertAboutCertificate(err) {
		return diagnosis{
			cause: fmt.Errorf("%s refused the connection's credentials: %w", c.Server, bare(err)),
			hint:  "the client certificate may have expired or be another cluster's",
		}, true
	}
	return diagnosis{
		cause: fmt.Errorf("%s refused the TLS connection: %w", c.Server, bare(err)),
		hint:  "check the address and the port, and what answers there; --tls-server-name NAME asks for another name; " + outcome.OtherCluster,
	}, true
}

func isAlert(err error) bool {
	var remote *net.OpError
	return errors.As(err, &remote) && remote.Op == "remote error"
}

// isAlertAboutCertificate reports whether a server refused the connection because of the
// client's certificate (crypto/tls, alertText: every such alert says so).
func isAlertAboutCertificate(err error) bool {
	text := bare(err).Error()
	return isAlert(err) && (strings.Contains(text, "certificate") || strings.Contains(text, "access denied"))
}

// diagnoseNotTLS recognizes a server that does not speak TLS.
func (c *Connection) diagnoseNotTLS(err error) (diagnosis, bool) {
	if !isNotTLS(err) {
		return diagnosis{}, false
	}
	return diagnosis{
		cause: fmt.Errorf("%s does not speak TLS: %w", c.Server, bare(err)),
		hint:  "check the port of the address: API servers have 6443 or 443 mostly; " + outcome.OtherCluster,
	}, true
}

func isNotTLS(err error) bool {
	var record tls.RecordHeaderError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record)
}

const proxyAuthentication = "the proxy asks for a user name and a password: give them in HTTPS_PROXY or in the kubeconfig's proxy-url, or name the server in NO_PROXY"

// diagnoseProxy recognizes a proxy (HTTPS_PROXY, or the kubeconfig's proxy-url) that does
// not let the connection through.
func (c *Connection) diagnoseProxy(err error) (diagnosis, bool) {
	var dial *net.OpError
	switch code := refusedByProxy(err); {
	case code == http.StatusProxyAuthRequired:
		return diagnosis{cause: fmt.Errorf("the proxy does not connect to %s: %w", c.Server, bare(err)), hint: proxyAuthentication}, true
	case code != 0:
		return diagnosis{
			kind:  ErrUnreachable,
			cause: fmt.Errorf("the proxy does not connect to %s: %w", c.Server, bare(err)),
			hint:  "ask the operators of the proxy to allow it, or name the server in NO_PROXY",
		}, true
	case errors.As(err, &dial) && dial.Op == "proxyconnect":
		return diagnosis{
			kind:  ErrUnreachable,
			cause: fmt.Errorf("the proxy to %s cannot be reached: %w", c.Server, bare(err)),
			hint:  "check HTTPS_PROXY, and proxy-url in the kubeconfig's cluster; NO_PROXY names servers to reach without it",
		}, true
	}
	return diagnosis{}, false
}

// refusedByProxy is the status with which a proxy refused to connect; 0 where none did.
// net/http has nothing but the status's text then (transport.go, dialConn).
func refusedByProxy(err error) int {
	var request *url.Error
	if !errors.As(err, &request) {
		return 0
	}
	for code := http.StatusBadRequest; code <= http.StatusNetworkAuthenticationRequired; code++ {
		if text := http.StatusText(code); text != "" && request.Err.Error() == text {
			return code
		}
	}
	return 0
}

// diagnoseConnection recognizes why a connection failed.
func (c *Connection) diagnoseConnection(err error) (diagnosis, bool) {
	var (
		dial    *net.OpError
		request *url.Error
		name    *net.DNSError
		timeout net.Error
	)
	if !errors.As(err, &dial) && !errors.As(err, &request) {
		return diagnosis{}, false
	}
	hint := "check the address and the network; " + outcome.OtherCluster
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		hint = "check the server's name, and whether it is known on this network, such as by a VPN; " + outcome.OtherCluster
	case errors.Is(err, syscall.ECONNREFUSED):
		hint = "nothing listens there: check the address and the port, and whether the API server runs; " + outcome.OtherCluster
	case errors.As(err, &timeout) && timeout.Timeout():
		hint = "check the address, the network and the firewall; or give it longer: --request-timeout 2m; " + outcome.OtherCluster
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		hint = "the connection was closed before there was an answer: a firewall or a proxy might block it, or the API server is overloaded or ending; try again in a moment"
	}
	return diagnosis{
		kind:  ErrUnreachable,
		cause: fmt.Errorf("the API server %s cannot be reached: %w", c.Server, bare(err)),
		hint:  hint,
	}, true
}

// ExplainForbidden is Explain with a hint for a call that the API server refuses to
// somebody it knows, for lack of a permission.
func (c *Connection) ExplainForbidden(parent context.Context, err error, doing, hint string) error {
	explainedErr := c.Explain(parent, err, doing)
	if isAnonymous(err) || IsForeignAnswer(err) || IsRevoked(err) || IsDeniedByAdmission(err) {
		return explainedErr
	}
	return outcome.ReplaceHint(explainedErr, "%s", hint)
}
