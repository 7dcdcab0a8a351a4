// Package revocation turns the list of who is revoked into the file by which an API server
// refuses them: an AuthorizationConfiguration (Kubernetes structured authorization), which
// kube-apiserver reads from --authorization-config and reloads when it changes.
//
// It is pure. It promises that what it renders is a file that the API server loads, that
// everybody on the list is refused by it before any other authorizer is asked, and that
// Kubernetes' own identities never are. What is on the list is hostile until parsed by
// allow-list: an entry that cannot be enforced is a Problem, and the others still are.
package revocation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

const (
	// MaximumReason is the longest reason, in bytes.
	MaximumReason = 500
	// clockSkew is how long after its end an API server whose clock is late may still accept
	// a certificate.
	clockSkew = 10 * time.Minute
)

var (
	// certificateID is how the API server names a certificate (k8s.io/apiserver
	// pkg/authentication/request/x509, since Kubernetes 1.32).
	certificateID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^` + access.CertificateIDPrefix + `[0-9a-f]{64}$`) })
	// tokenID is how it names a service account token: by its claim "jti", a UUID.
	tokenID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^JTI=[0-9A-Za-z-]{1,64}$`) })
)

// systemPrefix is how the names of Kubernetes' own users begin, nodePrefix those of kubelets,
// and serviceAccountPrefix those of service accounts.
const (
	systemPrefix         = "system:"
	nodePrefix           = "system:node:"
	serviceAccountPrefix = "system:serviceaccount:"
)

// IsProtected reports whether a user is one of Kubernetes' own, which no entry ever refuses.
// Kubelets are not protected: a node can be lost to an attacker.
func IsProtected(user string) bool {
	return strings.HasPrefix(user, systemPrefix) && !strings.HasPrefix(user, nodePrefix)
}

// IsToken reports whether an entry is about a service account token.
func IsToken(blocked access.Blocked) bool {
	return strings.HasPrefix(blocked.CredentialID, access.TokenIDPrefix)
}

// Problem is something on the list that is not, or not as it says, in force.
type Problem struct {
	// Key is the key in the list. It may hold anything.
	Key string
	// Says is what is wrong, safe to print.
	Says string
}

// String is safe to print.
func (p Problem) String() string { return identity.Printable(p.Key) + ": " + p.Says }

// Check says why an entry cannot be enforced. The error is an outcome.ErrRefused.
func Check(entry access.Entry) error {
	blocked := entry.Blocked
	refuse := func(format string, arguments ...any) error {
		return outcome.Errorf(outcome.ErrRefused, "cannot revoke %s: %s", blocked, fmt.Sprintf(format, arguments...))
	}
	if err := checkDetails(entry.Details); err != nil {
		return refuse("%v", err)
	}
	switch {
	case blocked.User != "" && blocked.CredentialID != "", blocked.IsPin && blocked.User == "":
		return refuse("it names a user and a certificate")
	case blocked.User != "":
		return checkUser(blocked.User, refuse)
	case certificateID().MatchString(blocked.CredentialID):
		if IsProtected(entry.Details.User) {
			return refuse("it is of %s, and the identities of Kubernetes' control plane are never refused", identity.Quote(entry.Details.User))
		}
		if slices.ContainsFunc(entry.Details.Groups, identity.IsMasters) {
			return outcome.WithHint(refuse("it is in the group %s, which the API server authorizes before it asks any authorizer", identity.MastersGroup),
				"replace the certificate authority (CA) of the cluster's clients, which invalidates every client certificate")
		}
		return nil
	case tokenID().MatchString(blocked.CredentialID):
		return nil
	}
	return outcome.WithHint(refuse("invalid credential id"),
		"a certificate's is X509SHA256= with 64 hexadecimal digits, a service account token's JTI= with the token's claim jti")
}

func checkUser(user string, refuse func(string, ...any) error) error {
	switch {
	case IsProtected(user):
		return refuse("the identities of Kubernetes' control plane are never refused")
	case strings.HasPrefix(user, markPrefix):
		return refuse("names that begin with %q are csr-onboard's own", markPrefix)
	case !utf8.ValidString(user):
		return refuse("the name is not valid UTF-8 text; revoke the user's certificates instead")
	case len(user) > access.MaximumBlockedName:
		return refuse("the name has %d bytes, and the list holds names of at most %d", len(user), access.MaximumBlockedName)
	}
	return nil
}

func checkDetails(details access.Details) error {
	switch {
	case len(details.Reason) > MaximumReason:
		return fmt.Errorf("the reason has %d bytes, and at most %d are kept", len(details.Reason), MaximumReason)
	case details.PinGroup != "" && !access.IsPinGroup(details.PinGroup):
		return fmt.Errorf("invalid group of a pin %s", identity.Quote(details.PinGroup))
	}
	return nil
}

// Entries are the entries of the list that can be enforced at a time, each once and in the
// order of their keys, and what is wrong with the others. An entry whose details cannot be
// used is in force without them.
func Entries(list access.List, now time.Time) (entries []access.Entry, problems []Problem) {
	seen := map[access.Blocked]bool{}
	for _, item := range list.Items() {
		if len(item.Named) == 0 {
			problems = append(problems, Problem{item.Key, "the entry names nobody"})
			continue
		}
		if item.DetailsErr != nil {
			problems = append(problems, Problem{item.Key, "the details of the entry are not valid JSON, and are ignored"})
		}
		if !item.Agrees() {
			problems = append(problems, Problem{item.Key, "key and value do not name the same identity; everybody that they name is refused"})
		}
		for i, blocked := range item.Named {
			entry := access.Entry{Blocked: blocked}
			if i == 0 {
				entry.Details = item.Details
			}
			if seen[blocked] || entry.Details.IsOver(now, clockSkew) {
				continue
			}
			usable, isUsable, wrong := enforceable(item.Key, entry)
			problems = append(problems, wrong...)
			if isUsable {
				seen[blocked] = true
				entries = append(entries, usable)
			}
		}
	}
	return entries, problems
}

// enforceable is an entry as it can be in force: without details that cannot be used. It is
// false for one that cannot be in force.
func enforceable(key string, entry access.Entry) (_ access.Entry, isEnforceable bool, problems []Problem) {
	if err := checkDetails(entry.Details); err != nil {
		problems = append(problems, Problem{key, err.Error() + "; the details are ignored"})
		entry.Details = access.Details{User: entry.Details.User}
	}
	if err := Check(entry); err != nil {
		return entry, false, append(problems, Problem{key, err.Error()})
	}
	return entry, true, problems
}

// NextEnd is when the next of some entries ends; false if none does.
func NextEnd(entries []access.Entry) (next time.Time, exists bool) {
	for _, entry := range entries {
		ends := []*time.Time{entry.Details.Until}
		if entry.Details.NotAfter != nil {
			end := entry.Details.NotAfter.Add(clockSkew)
			ends = append(ends, &end)
		}
		for _, end := range ends {
			if end != nil && (!exists || end.Before(next)) {
				next, exists = *end, true
			}
		}
	}
	return next, exists
}
