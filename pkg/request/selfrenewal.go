package request

import (
	"crypto/sha256"
	"regexp"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// SelfRenewal says that a request renews a certificate of its requester's: they
// submitted it as themselves, logged in with a client certificate, and asks for no group
// that they are not in. The API server recorded all of that.
type SelfRenewal struct {
	// CredentialID is which certificate they logged in with: "X509SHA256=" and the
	// SHA-256 of its DER in hexadecimal (Kubernetes 1.32 and later).
	CredentialID string
}

// certificateCredential is the credential id of a client certificate.
var certificateCredential = regexp.MustCompile(`^` + access.CertificateIDPrefix + `[0-9a-f]+$`)

const certificateCredentialLength = len(access.CertificateIDPrefix) + 2*sha256.Size

// RequesterCertificate is the SHA-256 of the client certificate that the requester logged in
// with, in hexadecimal, as the API server recorded it. isCertificate is false for those who
// logged in with something else, and before Kubernetes 1.32.
func RequesterCertificate(spec certificatesv1.CertificateSigningRequestSpec) (hash string, isCertificate bool) {
	credentials := spec.Extra[access.CredentialIDKey]
	if len(credentials) != 1 || len(credentials[0]) != certificateCredentialLength || !certificateCredential.MatchString(credentials[0]) {
		return "", false
	}
	return strings.TrimPrefix(credentials[0], access.CertificateIDPrefix), true
}

// selfRenewalOf is what makes a request for a user a renewal of their own; nil if
// something does not.
func selfRenewalOf(user identity.User, spec certificatesv1.CertificateSigningRequestSpec) *SelfRenewal {
	hash, isCertificate := RequesterCertificate(spec)
	if user.Name == "" || spec.Username != user.Name || !isCertificate {
		return nil
	}
	for _, group := range user.Groups {
		if !slices.Contains(spec.Groups, group) {
			return nil
		}
	}
	return &SelfRenewal{CredentialID: access.CertificateIDPrefix + hash}
}
