package request

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// The findings about users who left, or who have another certificate.
const (
	UserBlocked    = "user-blocked"
	UserOffboarded = "user-offboarded"
	// OtherCertificateValid is refused where the holder of the other certificate would
	// get a role, and a warning elsewhere.
	OtherCertificateValid = "other-certificate-valid"
)

// Standing is what the cluster knows of users who left, and of the certificates that
// users have already.
type Standing struct {
	// List is who is blocked and who was offboarded.
	List access.List
	// Unread says why the list or the certificates could not be read; "" if they could.
	Unread string
	// Now is the time at which a certificate has to be valid to count.
	Now time.Time

	certificates map[string][]validCertificate
}

// validCertificate is a certificate that a request on the cluster has, and that has not
// expired.
type validCertificate struct {
	// source is where it was seen, safe to print.
	source string
	// id is its credential id, and key its public key's fingerprint.
	id, key             string
	notBefore, notAfter time.Time
	groups              []string
	// renews is the credential id of the certificate that its user was logged in with
	// to ask for it; "" if unknown.
	renews string
	// more are groups of it that a claim of the same key does not have (see others).
	more []string
}

// See takes in the certificate of a request, if it has one that is valid.
func (s *Standing) See(object *Request) {
	if StateOf(object) != Issued {
		return
	}
	certificate, err := pki.ParseCertificate(object.Status.Certificate)
	if err != nil || !s.Now.Before(certificate.Leaf.NotAfter) {
		return
	}
	user := certificate.User()
	one := validCertificate{
		source: "request " + identity.Printable(object.Name),
		id:     access.CredentialID(certificate.SHA256()), key: pki.Fingerprint(certificate.Leaf.PublicKey),
		notBefore: certificate.Leaf.NotBefore, notAfter: certificate.Leaf.NotAfter, groups: user.Groups,
	}
	if credentials := object.Spec.Extra[access.CredentialIDKey]; object.Spec.Username == user.Name && len(credentials) == 1 {
		one.renews = credentials[0]
	}
	if s.certificates == nil {
		s.certificates = map[string][]validCertificate{}
	}
	s.certificates[user.Name] = append(s.certificates[user.Name], one)
}

// Claim is what a user is to get who might have left, or might have other certificates.
type Claim struct {
	// User is who it is for. Required.
	User identity.User
	// Key is the fingerprint of the public key that the user asks with. Optional: a user
	// who exists already is taken to have the newest certificate.
	Key string
	// Renews is the credential id of the certificate that the user asks with. Optional.
	Renews string
	// Gives is what the user is to get by role bindings that do not exist yet. Optional.
	Gives []access.Wanted
}

// ReturnFindings are the names of all of them.
var ReturnFindings = []string{UserBlocked, UserOffboarded, OtherCertificateValid}

// SafeReturn says how a user can come back without reviving a certificate that somebody
// else may have.
const SafeReturn = "safe ways: another user name; or a new group that no other certificate of the user has and that gets the role (--to-group), after offboard NAME --unblock if the name is blocked or was offboarded"

// Examine lists what there is to say about a claim. It is a pure function.
func (s *Standing) Examine(claim Claim) []Finding {
	var found findings
	found.examineStanding(s, claim)
	return sorted(found)
}

func (f *findings) examineStanding(s *Standing, claim Claim) {
	user := claim.User.Name
	blocked, isBlocked := s.List.Refuses(access.Blocked{User: user}, s.Now)
	offboarded, wasOffboarded := s.List.Offboarded(user)
	pinned, isPinned := s.List.Refuses(access.Blocked{User: user, IsPin: true}, s.Now)
	switch {
	case isPinned && claim.Key != "" && !slices.Contains(claim.User.Groups, pinned.PinGroup):
		f.refuse(UserBlocked, "the user %s is revoked, except with certificates in the group %s%s", identity.Quote(user), identity.Quote(pinned.PinGroup), since(pinned))
	case isBlocked:
		f.refuse(UserBlocked, "the user %s is blocked%s", identity.Quote(user), since(blocked))
	case wasOffboarded:
		f.refuse(UserOffboarded, "the user %s was offboarded%s", identity.Quote(user), since(offboarded))
	}
	if claim.Renews != "" && s.List.Distrusts(claim.Renews, s.Now) {
		f.refuse(UserBlocked, "it was submitted with a certificate that is blocked: %s", identity.Printable(claim.Renews))
	}
	for _, other := range s.others(claim) {
		given := newForHolder(claim, other.groups)
		if len(other.more) > 0 {
			f.warn(OtherCertificateValid, "another certificate of the user, which also has the %s %s, logs in until %s (%s)",
				english.PluralWord(len(other.more), "group", ""), strings.Join(other.more, ", "), pki.Stamp(other.notAfter), other.source)
			continue
		}
		if len(given) == 0 {
			f.warn(OtherCertificateValid, "another certificate of the user logs in until %s (%s)", pki.Stamp(other.notAfter), other.source)
			continue
		}
		f.refuse(OtherCertificateValid, "another certificate of the user logs in until %s (%s), and its holder would get %s as well",
			pki.Stamp(other.notAfter), other.source, strings.Join(given, ", "))
	}
}

func since(details access.Details) string {
	if text := details.String(); text != "" {
		return " (" + text + ")"
	}
	return ""
}

// newForHolder names what the holder of another certificate of the same user would get.
func newForHolder(claim Claim, groups []string) []string {
	var given []string
	for _, wanted := range claim.Gives {
		if !wanted.Holder.IsGroup || slices.Contains(groups, wanted.Holder.Name) {
			given = append(given, wanted.Grant.String())
		}
	}
	return given
}

// others are the valid certificates of the user that are not of the line of renewals
// which the claim continues, and all that are blocked. An earlier one of the same key, with a group
// that the user is not to have any more, is among them.
func (s *Standing) others(claim Claim) []validCertificate {
	valid := s.certificates[claim.User.Name]
	isOwn := map[string]bool{claim.Renews: claim.Renews != ""}
	newest := -1
	for i, one := range valid {
		isOwn[one.id] = isOwn[one.id] || claim.Key != "" && one.key == claim.Key
		if newest < 0 || one.notBefore.After(valid[newest].notBefore) {
			newest = i
		}
	}
	if claim.Key == "" && newest >= 0 {
		isOwn[valid[newest].id] = true
	}
	// A renewal and what it renews are one line, in both directions.
	for changed := true; changed; {
		changed = false
		for _, one := range valid {
			if one.renews != "" && isOwn[one.id] != isOwn[one.renews] {
				isOwn[one.id], isOwn[one.renews], changed = true, true, true
			}
		}
	}
	var others []validCertificate
	listed := map[string]bool{}
	for _, entry := range s.List.CertificatesOf(claim.User.Name) {
		details := entry.Details
		if details.NotAfter == nil || !s.Now.Before(*details.NotAfter) {
			continue
		}
		id := entry.Blocked.CredentialID
		listed[id] = true
		others = append(others, validCertificate{
			source: fmt.Sprintf("blocked%s: %s", since(details), identity.Printable(id)), id: id, notAfter: *details.NotAfter, groups: details.Groups,
		})
	}
	for _, one := range valid {
		if claim.Key != "" && one.key == claim.Key {
			one.more = groupsBeyond(one.groups, claim.User.Groups)
		}
		if (!isOwn[one.id] || len(one.more) > 0) && !listed[one.id] {
			others = append(others, one)
		}
	}
	return others
}

// groupsBeyond are groups that are not among others, in quotes. The group of a pin means nothing by itself.
func groupsBeyond(groups, others []string) (beyond []string) {
	for _, group := range groups {
		if !slices.Contains(others, group) && !access.IsPinGroup(group) {
			beyond = append(beyond, identity.Quote(group))
		}
	}
	return beyond
}
