package request

import (
	"cmp"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Finding is one thing that a review found. Its name is a stable word that
// people put into scripts.
type Finding struct {
	// Name is the finding's stable name, such as "many-common-names".
	Name string
	// Severity says whether the finding refuses an approval.
	Severity identity.Severity
	// Sentence says what was found. It is safe to print.
	Sentence string
	// Final says that no administrator can allow the finding.
	Final bool
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
	RequestedByOther    = "requested-by-other"
	LongLifetime        = "long-lifetime"
	NoLifetime          = "no-lifetime"
	UnusualSubject      = "unusual-subject"
)

// allowable are the refused findings that an administrator can accept.
// bad-signature is not among them: such a request can't be read for sure.
var allowable = []string{
	identity.AdminGroup, CARequested, identity.ConfusableName, identity.ControlCharacters,
	identity.EmptyGroup, ForeignSigner, ManyCommonNames, NonStringAttribute, OutsidePEM, Oversized,
	SANsPresent, identity.SurroundingWhitespace, identity.SystemGroup, identity.SystemUser, Terminating,
	UnexpectedExtension, UnknownAttribute, WeakKey, WeakSignature, WrongUsages,
}

const (
	// longLifetime is from where a certificate, which can't be revoked, is
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

// findings lists everything there is to say about a request that could be
// decoded, the refused first.
func findings(review *Review, parsed *pki.Request) []Finding {
	var found []Finding
	report := func(name string, severity identity.Severity, format string, arguments ...any) {
		found = append(found, Finding{Name: name, Severity: severity, Sentence: fmt.Sprintf(format, arguments...)})
	}
	for _, problem := range identity.Examine(review.User) {
		found = append(found, Finding{
			Name: problem.Finding, Severity: problem.Severity, Sentence: problem.Sentence,
			Final: problem.Finding == identity.EmptyCommonName || problem.Finding == identity.SystemGroup && slices.ContainsFunc(review.User.Groups, identity.IsMasters),
		})
	}
	examineSubject(parsed, report)
	examineKeyAndExtensions(parsed, report)
	examineSpec(review, report)
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(rank(a), rank(b)) })
	return found
}

func rank(finding Finding) int {
	if finding.Severity == identity.Refused {
		return 0
	}
	return 1
}

type reporter func(name string, severity identity.Severity, format string, arguments ...any)

func examineSubject(parsed *pki.Request, report reporter) {
	if n := parsed.Subject.Count(pki.CommonName); n > 1 {
		report(ManyCommonNames, identity.Refused, "there are %d common names; the API server takes the last: %s", n, parsed.Subject)
	}
	size := 0
	for _, attribute := range parsed.Subject {
		size += len(attribute.Value)
		switch {
		case !attribute.IsText:
			report(NonStringAttribute, identity.Refused, "the subject's attribute %s is no text", attribute.Name())
		case !attribute.IsKnown():
			report(UnknownAttribute, identity.Refused, "the subject has an attribute of the unknown type %s: %s", attribute.Type, identity.Quote(attribute.Value))
		case attribute.Name() != pki.CommonName && attribute.Name() != pki.Organization:
			report(UnusualSubject, identity.Warning, "the subject has %s=%s, which is never a group", attribute.Name(), identity.Printable(attribute.Value))
		}
	}
	if size > largestSubject {
		report(Oversized, identity.Refused, "the subject has %d bytes; more than %d are never issued reliably", size, largestSubject)
	}
	if parsed.OutsidePEM {
		report(OutsidePEM, identity.Refused, "there is text, a header or a second block around the request, which the API server ignores")
	}
}

func examineKeyAndExtensions(parsed *pki.Request, report reporter) {
	if err := pki.CheckKeyStrength(parsed.PublicKey); err != nil {
		report(WeakKey, identity.Refused, "%v", err)
	}
	switch parsed.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
	default:
		report(WeakSignature, identity.Refused, "the request is signed with %s", parsed.SignatureAlgorithm)
	}
	for _, extension := range parsed.Extensions {
		switch {
		case extension.Id.Equal(oidSubjectAltName):
			report(SANsPresent, identity.Refused, "the request asks for subject alternative names, which a user's certificate needs none of")
		case extension.Id.Equal(oidBasicConstraints) && !isNoAuthority(extension.Value):
			report(CARequested, identity.Refused, "the request asks to be a certificate authority")
		default:
			report(UnexpectedExtension, identity.Refused, "the request asks for the extension %s", extension.Id)
		}
	}
}

// isNoAuthority says whether the value of a basic constraints extension
// (RFC 5280, section 4.2.1.9) is well-formed and does not ask for CA:TRUE.
func isNoAuthority(value []byte) bool {
	var constraints struct {
		IsCA    bool `asn1:"optional"`
		PathLen int  `asn1:"optional,default:-1"`
	}
	rest, err := asn1.Unmarshal(value, &constraints)
	return err == nil && len(rest) == 0 && !constraints.IsCA
}

func examineSpec(review *Review, report reporter) {
	spec := review.Object.Spec
	if spec.SignerName != Signer {
		report(ForeignSigner, identity.Refused, "the signer is %q, whose certificates are not for logging in to the API server", spec.SignerName)
	}
	if !permittedUsages(spec.Usages) {
		report(WrongUsages, identity.Refused, "the usages are %q; the signer takes client auth, and beside it digital signature and key encipherment only", spec.Usages)
	}
	if review.Object.DeletionTimestamp != nil {
		report(Terminating, identity.Refused, "the request is being deleted")
	}
	if spec.Username != review.User.Name {
		report(RequestedByOther, identity.Warning, "it was submitted by %s, not by the user herself", identity.Quote(spec.Username))
	}
	switch {
	case review.Lifetime == 0:
		report(NoLifetime, identity.Warning, "no lifetime is asked for: the cluster gives its longest, a year by default")
	case review.Lifetime > longLifetime:
		report(LongLifetime, identity.Warning, "the lifetime asked for is %d days, and a certificate can't be revoked", review.Lifetime/(24*time.Hour))
	}
}
