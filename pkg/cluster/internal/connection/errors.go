package connection

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// ErrUnreachable is the error of a server that cannot be reached, so that nothing
// is known of what it would say.
var ErrUnreachable = errors.New("unreachable")

// ErrNotAccepted is the error of a server that does not accept the client's credentials.
var ErrNotAccepted = errors.New("credentials not accepted")

// Explain says in words why the server did not do something. doing is a verb
// phrase that fits behind "could not" and "you cannot", such as "create the
// certificate signing request "jane-x"". parent is the caller's context, which
// tells an interruption from a call that was not answered in time.
func (c *Connection) Explain(parent context.Context, err error, doing string) error {
	if err == nil {
		return nil
	}
	if endedErr := ContextOutcome(parent); endedErr != nil {
		return outcome.Errorf(endedErr, "%w while trying to %s", endedErr, doing)
	}
	found := c.diagnose(err)
	format := "could not %s: %w"
	if found.isForbidden {
		format = "forbidden: you cannot %s: %w"
	}
	explainedErr := fmt.Errorf(format, doing, found.cause)
	if found.kind != nil {
		explainedErr = outcome.Errorf(found.kind, "%w", explainedErr)
	}
	if found.hint == "" {
		return explainedErr
	}
	return outcome.WithHint(explainedErr, "%s", found.hint)
}

// isOfServersCertificate reports whether the server's certificate is not trusted.
func isOfServersCertificate(err error) bool {
	var (
		unknownAuthority x509.UnknownAuthorityError
		hostname         x509.HostnameError
		invalid          x509.CertificateInvalidError
	)
	return errors.As(err, &unknownAuthority) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

// isNotBelieved reports whether a server redirected to another address, or responded with
// something else than what it was asked for.
func isNotBelieved(err error) bool {
	var redirect *redirectError
	var response *ResponseError
	return errors.As(err, &redirect) || errors.As(err, &response)
}

// isOfLoginPlugin reports whether a login plugin gave no credentials. client-go's exec
// plugins (plugin/pkg/client/auth/exec) have no error type.
func isOfLoginPlugin(err error) bool { return strings.Contains(err.Error(), gettingCredentials) }

const gettingCredentials = "getting credentials: "

// pluginFailure is why a login plugin gave no credentials. Where client-go could not decode
// what the plugin printed, its error quotes that, tokens and all: then it is only said that
// it could not be decoded.
func pluginFailure(err error) string {
	_, reason, _ := strings.Cut(err.Error(), gettingCredentials)
	// Behind the first line there is advice for developers.
	reason, _, _ = strings.Cut(reason, "\n")
	for _, harmless := range []string{"exec: ", "exec plugin ", "plugin "} {
		if strings.HasPrefix(reason, harmless) {
			return reason
		}
	}
	return "the login plugin returned an invalid ExecCredential"
}

// bare strips the method and the URL that net/http puts before an error.
func bare(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// ContextOutcome says how a context ended: interrupted, timed out, or not yet.
func ContextOutcome(ctx context.Context) error {
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return outcome.ErrTimedOut
	}
	return outcome.ErrInterrupted
}

// IsAnswer reports whether an error is the server's own answer, so that it was
// reached and knew who asked.
func IsAnswer(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && !apierrors.IsUnauthorized(err)
}

// IsTransient reports whether an error may go away by itself: the server could not
// be reached, is starting, is overloaded, or failed within. What it answered
// about the question itself, or about who is revoked, is final, and so are a certificate of its that is not
// trusted, an answer that is not believed or too large, a login plugin that does not work,
// a server that does not speak TLS and a proxy that asks for a password.
func IsTransient(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return !isOfServersCertificate(err) && !isOfLoginPlugin(err) && !isNotBelieved(err) && !isTooLarge(err) &&
			!isNotTLS(err) && refusedByProxy(err) != http.StatusProxyAuthRequired
	}
	switch code := status.Status().Code; {
	case IsRevoked(err):
		return false
	case code == 429, code >= 500:
		return true
	}
	return IsExpired(err)
}
