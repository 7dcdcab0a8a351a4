package request

import (
	"cmp"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Finding is one thing that a review found. Its name is a stable word that
// people put into scripts.
type Finding struct {
	// Name is the finding's stable name, such as "many-common-names".
	Name string
	// Severity reports whether the finding refuses an approval.
	Severity identity.Severity
	// Sentence says what was found. It is safe to print.
	Sentence string
	// Final says that no administrator can allow the finding.
	Final bool
	// AcceptedBy is what accepts a refused finding, such as "--allow"; "" if nothing does.
	AcceptedBy string

	// more is how many findings a counting one stands for.
	more int
	// isTold says that the finding is never counted by another.
	isTold bool
}

// The findings beyond those of a name (see package identity).
const (
	ManyCommonNames     = "many-common-names"
	NonStringAttribute  = "non-string-attribute"
	UnknownAttribute    = "unknown-attribute"
	Oversized           = "oversized"
	WeakKey             = "weak-key"
	WeakSignature       = "weak-signature"
	SANsPresent         = "sans-present"
	CARequested         = "ca-requested"
	UnexpectedExtension = "unexpected-extension"
	WrongUsages         = "wrong-usages"
	BadSignature        = "bad-signature"
	OutsidePEM          = "outside-pem"
	ForeignSigner       = "foreign-signer"
	Terminating         = "terminating"
	UserAlreadyBound    = "user-already-bound"
	GroupAlreadyBound   = "group-already-bound"
	SelfApproved        = "self-approved"
	RequestedByOther    = "requested-by-other"
	MoreThanRequester   = "more-than-requester"
	KnownUser           = "known-user"
	LongLifetime        = "long-lifetime"
	NoLifetime          = "no-lifetime"
	UnusualSubject      = "unusual-subject"
)

const (
	// longLifetime is from where a certificate, which few clusters can revoke, is
	// worth a warning.
	longLifetime = 90 * 24 * time.Hour
	// largestSubject bounds the subject's text, in bytes. Above the API
	// server's practical limits a request is approved and never issued.
	largestSubject = 16 << 10
)

var (
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
)

// undecodable is the finding about request bytes that cannot be read for sure.
func undecodable(err error) Finding {
	name := BadSignature
	if errors.Is(err, pki.ErrOversized) {
		name = Oversized
	}
	return Finding{Name: name, Severity: identity.Refused, Sentence: identity.Printable(err.Error()), Final: true}
}

// examineRequest lists what there is to say about the request bytes.
func examineRequest(user identity.User, parsed *pki.Request) []Finding {
	var found findings
	if err := parsed.CheckSignature(); err != nil && !errors.Is(err, pki.ErrBrokenSignatureAlgorithm) {
		found = append(found, undecodable(err))
	}
	found = append(found, examineUser(user)...)
	found.examineSubject(parsed)
	found.examineKey(parsed)
	found.examineExtensions(parsed)
	return found
}

// examineUser lists what there is to say about the names of a user and their groups.
func examineUser(user identity.User) (found []Finding) {
	for _, problem := range identity.Examine(user) {
		found = append(found, Finding{
			Name: problem.Finding, Severity: problem.Severity, Sentence: problem.Sentence,
			Final: problem.Finding == identity.EmptyCommonName || problem.Finding == identity.SystemGroup && slices.ContainsFunc(user.Groups, identity.IsMasters),
		})
	}
	return found
}

// mostOfAName bounds how many findings of one name are told: thousands of
// attributes must not push the user's name off the screen.
const mostOfAName = 3

// mostOfRights bounds the same of findings about rights, which differ in what they give.
const mostOfRights = 20

func mostOf(name string) int {
	switch name {
	case identity.SystemUser, identity.SystemGroup, identity.AdminGroup:
		return mostOfRights
	}
	return mostOfAName
}

// sorted puts the refused findings first, of them those that nobody can allow, and keeps
// their order otherwise. Of many findings of one name it keeps the first few, and one that
// counts the rest.
func sorted(found []Finding) []Finding {
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(rank(a), rank(b)) })
	return condensed(found)
}

func condensed(found []Finding) []Finding {
	counts := map[string]int{}
	for _, finding := range found {
		counts[finding.Name]++
	}
	var kept []Finding
	rest := map[string]int{}
	for _, finding := range found {
		if finding.isTold || counts[finding.Name] <= mostOf(finding.Name)+1 {
			kept = append(kept, finding)
			continue
		}
		if rest[finding.Name]++; rest[finding.Name] <= mostOf(finding.Name) {
			kept = append(kept, finding)
			continue
		}
		last := slices.IndexFunc(kept, func(f Finding) bool { return f.Name == finding.Name && f.more > 0 })
		if last < 0 {
			last = len(kept)
			kept = append(kept, Finding{Name: finding.Name, Severity: finding.Severity})
		}
		kept[last].more++
		kept[last].Final = kept[last].Final || finding.Final
		kept[last].Sentence = fmt.Sprintf("and %d more of the kind", kept[last].more)
	}
	return kept
}

func rank(finding Finding) int {
	switch {
	case finding.Severity != identity.Refused:
		return 2
	case !finding.Final:
		return 1
	}
	return 0
}

// findings collects what a review finds.
type findings []Finding

func (f *findings) refuse(name, format string, arguments ...any) {
	*f = append(*f, Finding{Name: name, Severity: identity.Refused, Sentence: fmt.Sprintf(format, arguments...)})
}

func (f *findings) warn(name, format string, arguments ...any) {
	*f = append(*f, Finding{Name: name, Severity: identity.Warning, Sentence: fmt.Sprintf(format, arguments...)})
}

func (f *findings) examineSubject(parsed *pki.Request) {
	if n := parsed.Subject.Count(pki.CommonName); n > 1 {
		f.refuse(ManyCommonNames, "there are %d common names; the API server uses the last one: %s", n, parsed.Subject)
	}
	size := 0
	for _, attribute := range parsed.Subject {
		size += len(attribute.Value)
		switch {
		case !attribute.IsText:
			f.refuse(NonStringAttribute, "the attribute %s of the subject is not text", attribute.Name())
		case !attribute.IsKnown():
			f.refuse(UnknownAttribute, "the subject has an attribute of the unknown type %s: %s", attribute.Type, identity.Quote(attribute.Value))
		case attribute.Name() != pki.CommonName && attribute.Name() != pki.Organization:
			f.warn(UnusualSubject, "the subject has %s=%s, which is never a group", attribute.Name(), identity.Printable(attribute.Value))
		}
	}
	if size > largestSubject {
		f.refuse(Oversized, "the subject has %d bytes; more than %d are never issued reliably", size, largestSubject)
	}
	if parsed.OutsidePEM {
		f.refuse(OutsidePEM, "there is text, a header or a second block around the request, which the API server ignores")
	}
	for _, attribute := range parsed.UnknownAttributes {
		f.refuse(UnknownAttribute, "the request has an attribute of the unknown type %s next to its subject", attribute)
	}
}

func (f *findings) examineKey(parsed *pki.Request) {
	if err := pki.CheckKeyStrength(parsed.PublicKey); err != nil {
		f.refuse(WeakKey, "%v", err)
	}
	switch parsed.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		f.refuse(WeakSignature, "the request is signed with %s", parsed.SignatureAlgorithm)
	case x509.MD5WithRSA, x509.MD2WithRSA:
		// The API server would not accept it, no matter who allows it.
		*f = append(*f, Finding{
			Name: WeakSignature, Severity: identity.Refused, Final: true,
			Sentence: fmt.Sprintf("the request is signed with %s, which proves nothing", parsed.SignatureAlgorithm),
		})
	}
}

func (f *findings) examineExtensions(parsed *pki.Request) {
	for _, extension := range parsed.Extensions {
		switch {
		case extension.Id.Equal(oidSubjectAltName):
			f.refuse(SANsPresent, "the request asks for subject alternative names, which a user's certificate needs none of")
		case extension.Id.Equal(oidBasicConstraints) && !isNoAuthority(extension.Value):
			f.refuse(CARequested, "the request asks for a CA certificate")
		case parsed.IsOwnKeyIdentifier(extension):
		default:
			f.refuse(UnexpectedExtension, "the request asks for the extension %s", extension.Id)
		}
	}
}

// isNoAuthority reports whether the value of a basic constraints extension
// (RFC 5280, section 4.2.1.9) is well-formed and does not ask for CA:TRUE.
func isNoAuthority(value []byte) bool {
	var constraints struct {
		IsCA    bool `asn1:"optional"`
		PathLen int  `asn1:"optional,default:-1"`
	}
	rest, err := asn1.Unmarshal(value, &constraints)
	return err == nil && len(rest) == 0 && !constraints.IsCA
}

// examineSpec lists what there is to say about the object around the request.
func (f *findings) examineSpec(object *Request) {
	spec := object.Spec
	switch spec.SignerName {
	case Signer:
	case "":
		f.refuse(ForeignSigner, "no signer is named; write below spec: signerName: %s", Signer)
	default:
		f.refuse(ForeignSigner, "the signer is %s, and only certificates of %s are known to log in to the API server", identity.Quote(spec.SignerName), Signer)
	}
	if !PermittedUsages(spec.Usages) {
		f.refuse(WrongUsages, "the usages are %s; the signer accepts client auth, and optionally digital signature and key encipherment", describeUsages(spec.Usages))
	}
	if identity.IsOptionLike(object.Name) {
		f.refuse(identity.OptionLikeName, "the request's name %s begins with a dash: a program would read it as an option", identity.Quote(object.Name))
	}
	if object.DeletionTimestamp != nil {
		f.refuse(Terminating, "the request is being deleted")
	}
	switch lifetime := LifetimeOf(object); {
	case lifetime == 0:
		f.warn(NoLifetime, "no lifetime is asked for: the cluster gives its longest, a year by default")
	case lifetime > longLifetime:
		f.warn(LongLifetime, "the requested lifetime is %d days, and a certificate can be revoked only on clusters with enforcers", lifetime/(24*time.Hour))
	}
}

func describeUsages(usages []certificatesv1.KeyUsage) string {
	if len(usages) == 0 {
		return "none"
	}
	quoted := make([]string, len(usages))
	for i, usage := range usages {
		quoted[i] = identity.Quote(string(usage))
	}
	return strings.Join(quoted, ", ")
}

// examineRequester compares who is asked for with who asks, as the API server
// recorded them. A member of system:masters can approve every request, and submits them for others.
func (f *findings) examineRequester(user identity.User, spec certificatesv1.CertificateSigningRequestSpec) {
	if spec.Username != user.Name && !isOfMasters(spec) {
		f.warn(RequestedByOther, "it was submitted by %s, who is neither the user nor known to be able to approve it", identity.Quote(spec.Username))
	}
	if slices.ContainsFunc(spec.Groups, mayBeAnybody) {
		return
	}
	var more []string
	for _, group := range user.Groups {
		if quoted := identity.Quote(group); !slices.Contains(spec.Groups, group) && !slices.Contains(more, quoted) {
			more = append(more, quoted)
		}
	}
	if len(more) > 0 {
		f.warn(MoreThanRequester, "the requester is not a member of %s", strings.Join(more, ", "))
	}
}

// isOfMasters reports whether a requester is a member of system:masters, whom no authorizer refuses
// anything.
func isOfMasters(spec certificatesv1.CertificateSigningRequestSpec) bool {
	return slices.Contains(spec.Groups, identity.MastersGroup)
}

// mayBeAnybody reports whether a group's members can give themselves any group.
func mayBeAnybody(group string) bool {
	return group == identity.MastersGroup || group == identity.KubeadmAdminsGroup
}
