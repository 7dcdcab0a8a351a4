package connection

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// redirectError is the error of an API server that redirects to another address.
type redirectError struct {
	// from is the address that was asked, and to the one it redirects to.
	from, to string
}

// Error implements error.
func (e *redirectError) Error() string {
	return fmt.Sprintf("%s redirects to %s, and credentials are sent to no other address", e.from, e.to)
}

// mostRedirects is how many redirects are followed at one address, as net/http does.
const mostRedirects = 10

// checkRedirect is an http.Client's CheckRedirect that stays at the address that was
// asked first. net/http would follow to any address, http without TLS included, and
// client-go sends a bearer token with each call that it makes.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if from, to := addressOf(via[0].URL), addressOf(next.URL); from != to {
		return &redirectError{from: from, to: to}
	}
	if len(via) >= mostRedirects {
		return &redirectError{from: addressOf(via[0].URL), to: "itself more than ten times"}
	}
	return nil
}

// addressOf is the scheme, host and port of a URL and nothing else of it, safe to print.
func addressOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return identity.Printable(strings.ToLower(u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port)))
}
