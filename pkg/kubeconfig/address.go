package kubeconfig

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// The mistakes of an address in a kubeconfig. Their text never holds a part of the
// address, which may be a password.
var (
	errInvalidURL     = errors.New("invalid URL")
	errURLCredentials = errors.New("the URL holds a user name or a password")
)

// ParseServer parses the URL of an API server and returns it as it goes into an
// Endpoint: with a scheme and a host, and without a query, which client-go ignores
// (rest.NewRESTClient). A URL with a user name or a password is an error:
// endpoints are copied into messages and into other people's kubeconfigs, and no API
// server accepts a password (removed in Kubernetes 1.19).
func ParseServer(text string) (string, error) {
	address, err := parseAddress(text, "https", "http")
	if err != nil {
		return "", err
	}
	if address.User != nil {
		return "", errURLCredentials
	}
	return address.String(), nil
}

// ParseProxy parses the URL of a proxy, of a scheme that client-go supports (client-go
// tools/clientcmd parseProxyURL), and returns it without user name, password and query, as
// it goes into an Endpoint. hasCredentials reports whether it had any of the
// first two.
func ParseProxy(text string) (proxy string, hasCredentials bool, _ error) {
	address, err := parseAddress(text, "http", "https", "socks5")
	if err != nil {
		return "", false, err
	}
	hasCredentials = address.User != nil
	address.User = nil
	return address.String(), hasCredentials, nil
}

// ShownAddress is what a message may say of an address that was not checked: the URL
// without user name, password and query, and nothing of what is not a URL.
func ShownAddress(text string) string {
	address, err := parseAddress(text, "https", "http", "socks5")
	if err != nil {
		return "(invalid URL)"
	}
	address.User = nil
	return address.String()
}

const secureScheme = "https://"

// IsHTTPS reports whether a server is reached over TLS. A scheme is the same in capitals
// (RFC 3986, section 3.1).
func IsHTTPS(server string) bool {
	return len(server) >= len(secureScheme) && strings.EqualFold(server[:len(secureScheme)], secureScheme)
}

// NormalServer writes the scheme of a server's URL as every client does, in small
// letters, and nothing else in another way.
func NormalServer(server string) string {
	if !IsHTTPS(server) {
		return server
	}
	return secureScheme + server[len(secureScheme):]
}

// SameServer reports whether two URLs are of one API server: scheme and host are the same
// in capitals (RFC 3986, section 6.2.2.1), and a slash at the end changes nothing.
func SameServer(a, b string) bool { return comparableServer(a) == comparableServer(b) }

func comparableServer(server string) string {
	address, err := url.Parse(server)
	if err != nil {
		return server
	}
	address.Host = strings.ToLower(address.Host)
	address.Path = strings.TrimSuffix(address.Path, "/")
	return address.String()
}

// parseAddress parses a URL of one of the given schemes, and drops its query. A fragment is
// an error: clientcmd takes it for a part of the path. An @ in the path is a mistyped user
// name or password: a slash in a password ends the host.
func parseAddress(text string, schemes ...string) (*url.URL, error) {
	address, err := url.Parse(text)
	switch {
	case err != nil, address.Hostname() == "", address.Opaque != "", strings.Contains(text, "#"), !slices.Contains(schemes, address.Scheme), identity.Printable(text) != text:
		return nil, errInvalidURL
	case strings.Contains(address.Path, "@"):
		return nil, errURLCredentials
	}
	address.RawQuery, address.ForceQuery = "", false
	return address, nil
}
