package revocation

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

// ParseToken reads which service account token a file holds: its id as API servers have it,
// its service account, and when it expires. The signature is not checked, and no error holds
// anything of the token, which is a secret.
func ParseToken(text []byte) (access.Entry, error) {
	parts := strings.Split(string(bytes.TrimSpace(text)), ".")
	invalidErr := errors.New("it is not a service account token")
	if len(parts) != 3 {
		return access.Entry{}, invalidErr
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return access.Entry{}, invalidErr
	}
	var claims struct {
		ID      string `json:"jti"`
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || !strings.HasPrefix(claims.Subject, serviceAccountPrefix) {
		return access.Entry{}, invalidErr
	}
	entry := access.Entry{Blocked: access.Blocked{CredentialID: access.TokenIDPrefix + claims.ID}, Details: access.Details{User: claims.Subject}}
	if !tokenID().MatchString(entry.Blocked.CredentialID) {
		return access.Entry{}, errors.New("the token has no claim jti that API servers know it by; tokens of Secrets have none")
	}
	if claims.Expires > 0 {
		end := time.Unix(claims.Expires, 0).UTC()
		entry.Details.NotAfter = &end
	}
	return entry, nil
}
