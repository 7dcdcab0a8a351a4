package request

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// Review is what an administrator should know before a decision.
type Review struct {
	// Object is the object that was reviewed, with the UID and the
	// resourceVersion that a decision has to carry.
	Object *Request
	// User is who the certificate would make its holder.
	User identity.User
	// Subject is the whole subject, attribute by attribute.
	Subject pki.Subject
	// Key is the public key's algorithm and size.
	Key string
	// Fingerprint names the public key (see pki.Fingerprint).
	Fingerprint string
	// Requester is the user who submitted the object, as the API server
	// recorded it.
	Requester string
	// RequesterCanApprove reports that the requester is known to be able to approve the request:
	// an administrator, who submitted it for the user.
	RequesterCanApprove bool
	// SelfRenewal says that they renew a certificate of their own; nil if they do not.
	SelfRenewal *SelfRenewal
	// Lifetime is what is asked for; 0 if nothing is.
	Lifetime time.Duration
	// State is where the request stands.
	State State
	// Certificate is what the signer stored, unchecked; nil if there is none
	// that can be read.
	Certificate *pki.Certificate
	// Left is why the approver has left the request to people, as far as it was read; nil if it has
	// not.
	Left *PolicyOutcome
	// Holdings are the certificates that the user has, and the requester if that is another, as far
	// as the cluster's ledger was read.
	Holdings []access.Certificates
	// Cluster is the context of the cluster that the request is on, where there are several. Optional.
	Cluster string
	// Findings is what the review found, the refused ones first.
	Findings []Finding
	// Source is the file that a request came in which is not on the cluster yet;
	// "" if it is. Nobody has submitted such a request.
	Source string
	// NotChecked says which of the findings that need more than the object were
	// not looked for, and why; "" if all were, or if none was asked for (see
	// Consider).
	NotChecked string

	derivedName string
}

// ReviewOf reviews a request. It never fails: a request that cannot be decoded is a review
// with the finding that says so. It is a pure function of the object, so that every command says
// the same of it; Consider adds what a decision depends on besides the object.
func ReviewOf(object *Request) *Review {
	parsed, err := object.PKCS10()
	if err != nil {
		return new(Review).with(object, findings{undecodable(err)})
	}
	user := parsed.User()
	review := &Review{User: user, Subject: parsed.Subject, Key: pki.DescribeKey(parsed.PublicKey), Fingerprint: parsed.Fingerprint()}
	review.derivedName = objectNameFor(object.Spec.SignerName, user, parsed.PublicKey)
	return review.with(object, examineRequest(user, parsed))
}

// ReviewOfRecorded reviews a request whose bytes are unknown, and in which nothing is found therefore.
// key is what pki.DescribeKey says of its key.
func ReviewOfRecorded(object *Request, user identity.User, key, fingerprint string) *Review {
	return (&Review{User: user, Key: key, Fingerprint: fingerprint}).with(object, examineUser(user))
}

// with adds what an object says around the request in it.
func (r *Review) with(object *Request, found findings) *Review {
	r.Object, r.Requester, r.State, r.Lifetime = object, object.Spec.Username, StateOf(object), LifetimeOf(object)
	if r.IsDecoded() {
		r.SelfRenewal, r.RequesterCanApprove = selfRenewalOf(r.User, object.Spec), isOfMasters(object.Spec)
		found.examineRequester(r.User, object.Spec)
	}
	found.examineSpec(object)
	if r.Findings = sorted(found); r.State == Issued {
		// One that cannot be read is nothing to hold against the request.
		r.Certificate, _ = pki.ParseCertificate(object.Status.Certificate)
	}
	return r
}

// ReviewOfFile reviews an object from a file (see package requestfile) before it is submitted.
func ReviewOfFile(object *Request, source string) *Review {
	reviewed := object.With(object.DeepCopy())
	if parsed, err := object.PKCS10(); err == nil {
		// Who sent the file is unknown here: nothing is said about the sender.
		user := parsed.User()
		reviewed.Spec.Username, reviewed.Spec.Groups = user.Name, user.Groups
		reviewed = object.With(reviewed.CertificateSigningRequest)
	}
	review := ReviewOf(reviewed)
	review.Source, review.Requester, review.RequesterCanApprove, review.SelfRenewal, review.Object = source, "", false, nil, object
	return review
}

// IsDecoded reports whether the request's bytes could be read, so that User and
// what follows it mean something.
func (r *Review) IsDecoded() bool { return r.Fingerprint != "" }

// IsFor reports whether the request is for the key of a fingerprint, which is as
// pki.ParseFingerprint returns it.
func (r *Review) IsFor(fingerprint string) bool {
	return r.IsDecoded() && r.Fingerprint == fingerprint
}

// CheckKeyOf returns an outcome.ErrChanged if the request in a file is not for the key of a
// fingerprint, which is as pki.ParseFingerprint returns it.
func (r *Review) CheckKeyOf(file, fingerprint string) error {
	if r.IsFor(fingerprint) {
		return nil
	}
	return outcome.WithHint(
		outcome.Errorf(outcome.ErrChanged, "the request in %q is for the key %s, not for %q", file, r.Fingerprint, fingerprint),
		"leave it alone: it is not what the user created, or the user told you another fingerprint")
}

// HasDerivedName reports whether the object's name is the one that ObjectName
// derives from what the request holds: who gives such a name means this request.
func (r *Review) HasDerivedName() bool { return r.derivedName == r.Object.Name }

// RequesterIsAdministrator reports whether the requester could give
// themselves any identity anyway, so that they have no need to pass for another.
func (r *Review) RequesterIsAdministrator() bool {
	return slices.ContainsFunc(r.Object.Spec.Groups, mayBeAnybody)
}

// Count says how many findings of a severity there are.
func (r *Review) Count(severity identity.Severity) int {
	n := 0
	for _, finding := range r.Findings {
		if finding.Severity == severity {
			n++
		}
	}
	return n
}

// AllowFlag is the flag by which an administrator accepts findings by name.
const AllowFlag = "--allow"

// IsRefused reports whether the finding refuses an approval: nothing accepts it.
func (f Finding) IsRefused() bool { return f.Severity == identity.Refused && f.AcceptedBy == "" }

// Accept is the finding, accepted by what by names if its name is among the allowed ones. One that
// no administrator can allow is never accepted.
func (f Finding) Accept(allowed []string, by string) Finding {
	if f.IsRefused() && !f.Final && slices.Contains(allowed, f.Name) {
		f.AcceptedBy = by
	}
	return f
}

// ShowAllowed has the review say which findings are accepted by name. It permits nothing:
// CheckAllowed decides.
func (r *Review) ShowAllowed(allowed []string) {
	for i, finding := range r.Findings {
		r.Findings[i] = finding.Accept(allowed, AllowFlag)
	}
}

// CheckAllowed reports whether a request can be approved when the given findings, and no others,
// are accepted by name. A refused finding that is not among them, or that cannot be allowed at all,
// is an outcome.ErrRefused that names each.
func (r *Review) CheckAllowed(allowed []string) error {
	var names []string
	final := false
	for _, finding := range r.Findings {
		finding.AcceptedBy = ""
		if !finding.Accept(allowed, AllowFlag).IsRefused() {
			continue
		}
		final = final || finding.Final
		if !slices.Contains(names, finding.Name) {
			names = append(names, finding.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	err := outcome.Errorf(outcome.ErrRefused, "certificate signing request %q is refused: %s", r.Title(), strings.Join(names, ", "))
	if final {
		return err
	}
	var allow identity.Command
	for _, name := range names {
		allow = allow.Option(AllowFlag, name)
	}
	hint := "if you know that this is right: " + allow.String()
	if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(ReturnFindings, name) }) {
		hint = SafeReturn + "; " + hint
	}
	return outcome.WithHint(err, "%s", hint)
}

// Title is what a person knows the request by: its file's name as long as it is in
// no cluster, and then its object's.
func (r *Review) Title() string {
	if r.Source != "" {
		return r.Source
	}
	return r.Object.Name
}

// CheckSnapshot reports whether a newer version of the reviewed object still asks
// for what was reviewed and is undecided. The error is an outcome.ErrChanged.
func (r *Review) CheckSnapshot(now *Request) error {
	if !SameSpec(r.Object, now) {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrChanged, "certificate signing request %q is not the one that was reviewed: it was deleted and recreated", r.Object.Name),
			"nothing was decided; look at the new one: %s", identity.NewCommand("kubectl csr-onboard approve").Argument(r.Object.Name))
	}
	if now.DeletionTimestamp != nil && r.Object.DeletionTimestamp == nil {
		return outcome.Errorf(outcome.ErrChanged, "certificate signing request %q is being deleted since it was reviewed", r.Object.Name)
	}
	if state := StateOf(now); state != Pending {
		return outcome.Errorf(outcome.ErrChanged, "certificate signing request %q was decided by somebody else first: %s",
			r.Object.Name, DescribeDecision(now))
	}
	return nil
}

// DescribeDecision is the state and what the approver or signer had to say about it,
// safe to print.
func DescribeDecision(object *Request) string {
	state := strings.ToLower(string(StateOf(object)))
	if message := StateMessage(object); message != "" {
		return fmt.Sprintf("%s (%s)", state, identity.Printable(message))
	}
	return state
}

// Newest is the review of the request that was created last; nil of none.
func Newest(reviews []*Review) *Review {
	var latest *Review
	var at time.Time
	for _, review := range reviews {
		if created := review.Object.CreationTimestamp.Time; latest == nil || created.After(at) {
			latest, at = review, created
		}
	}
	return latest
}
