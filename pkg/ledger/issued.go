package ledger

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// What can be wrong with a certificate. Scripts may branch on these.
const (
	// Unreadable certificates cannot be parsed.
	Unreadable = "unreadable"
	// AnotherKey is of a certificate whose public key is not that of its request.
	AnotherKey = "another-key"
	// AnotherSubject is of a certificate whose user or groups are not those of its request.
	AnotherSubject = "another-subject"
	// UnknownAuthority is of a certificate that no authority has signed whose client
	// certificates the API server accepts.
	UnknownAuthority = "unknown-authority"
	// SeveralCertificates is of a request with several certificates that are not of one chain.
	SeveralCertificates = "several-certificates"
	// NotApproved is of a certificate in a request that nobody has approved.
	NotApproved = "not-approved"
	// AuthorityNotChecked is of a certificate recorded where the authorities were not known.
	AuthorityNotChecked = "authority-not-checked"
	// RequestNotSeen is of a certificate whose request was not seen.
	RequestNotSeen = "request-not-seen"
	// CertificateNotSeen is of a record made of a log that does not hold the certificate.
	CertificateNotSeen = "certificate-not-seen"
)

// Circumstances are what records of issued certificates are made with.
type Circumstances struct {
	// Authorities are those whose client certificates the API server accepts; nil if unknown.
	Authorities *pki.ClientAuthorities
	// Source says where the request was seen. Required.
	Source Source
	// GuardedSince is when the API server began to guard the annotations of requests; zero if it
	// does not.
	GuardedSince time.Time
}

// OfRequest makes the records of the certificates in a request's status: one for the certificate
// that was issued, and one for each further block that is not a certificate authority. It never
// fails: what cannot be read is recorded as that.
func OfRequest(object *request.Request, c Circumstances) []*ClientCertificate {
	blocks := pki.CertificateBlocks(object.Status.Certificate)
	var records []*ClientCertificate
	for i, der := range blocks {
		// Intermediates come behind the certificate.
		parsed, err := x509.ParseCertificate(der)
		if i > 0 && err == nil && parsed.IsCA {
			continue
		}
		chain := encode(der)
		if i == 0 {
			chain = object.Status.Certificate
		}
		record := ofCertificate(der, chain, c)
		record.addRequest(object, chain, c)
		records = append(records, record)
	}
	for _, record := range records {
		if len(records) > 1 {
			record.addProblem(SeveralCertificates)
		}
		record.Spec.Verified = len(record.Spec.Problems) == 0
	}
	return records
}

// OfFile makes the record of a certificate whose request was not seen.
func OfFile(certificate *pki.Certificate, c Circumstances) *ClientCertificate {
	record := ofCertificate(certificate.Leaf.Raw, certificate.PEM, c)
	record.addProblem(RequestNotSeen)
	return record
}

// NameOf is the name of the record of a certificate in DER.
func NameOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// NameOfIssued is the name of the record of the certificate that was issued for a request; "" if none was.
func NameOfIssued(object *request.Request) string {
	if blocks := pki.CertificateBlocks(object.Status.Certificate); len(blocks) > 0 {
		return NameOf(blocks[0])
	}
	return ""
}

// ofCertificate makes the record of a certificate, of which chain has the intermediates as well.
func ofCertificate(der, chain []byte, c Circumstances) *ClientCertificate {
	record := &ClientCertificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: GroupVersion.String(), Kind: Kind},
		ObjectMeta: metav1.ObjectMeta{Name: NameOf(der)},
		Spec:       Spec{Source: c.Source},
	}
	certificate, err := pki.ParseCertificate(chain)
	if err != nil {
		certificate, err = pki.ParseCertificate(encode(der))
	}
	if err != nil {
		record.addProblem(Unreadable)
		return record
	}
	leaf, user := certificate.Leaf, certificate.User()
	spec := &record.Spec
	spec.User, spec.Groups = user.Name, user.Groups
	spec.Serial = leaf.SerialNumber.Text(16)
	spec.NotBefore, spec.NotAfter = metav1.NewTime(leaf.NotBefore.UTC()), metav1.NewTime(leaf.NotAfter.UTC())
	spec.Key = Key{Fingerprint: pki.Fingerprint(leaf.PublicKey), Algorithm: pki.DescribeKey(leaf.PublicKey)}
	spec.Issuer.Name = leaf.Issuer.String()
	if c.Authorities == nil {
		record.addProblem(AuthorityNotChecked)
		return record
	}
	authority, err := c.Authorities.EverAuthorityOf(certificate)
	if err != nil {
		record.addProblem(UnknownAuthority)
		return record
	}
	spec.Issuer.Fingerprint = pki.AuthorityFingerprint(authority)
	return record
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// addRequest adds what a request says, and whether the certificate is what it asked for.
func (c *ClientCertificate) addRequest(object *request.Request, chain []byte, in Circumstances) {
	created := object.CreationTimestamp
	c.Spec.Request = &Request{
		Name: object.Name, UID: string(object.UID), CreatedAt: &created,
		LifetimeSeconds: int64(request.LifetimeOf(object) / time.Second),
	}
	c.Spec.Requester = &Requester{User: object.Spec.Username, Groups: object.Spec.Groups}
	if ids := object.Spec.Extra[access.CredentialIDKey]; len(ids) == 1 {
		c.Spec.Requester.CredentialID = ids[0]
	}
	if hash, isCertificate := request.RequesterCertificate(object.Spec); isCertificate && c.Spec.User != "" && object.Spec.Username == c.Spec.User {
		c.Spec.Renews = &Renewal{Certificate: hash}
	}
	c.addDecision(object, in)
	asked, err := object.PKCS10()
	certificate, certificateErr := pki.ParseCertificate(chain)
	if err != nil || certificateErr != nil {
		c.addProblem(Unreadable)
		return
	}
	if !pki.SamePublicKey(certificate.Leaf.PublicKey, asked.PublicKey) {
		c.addProblem(AnotherKey)
	}
	if !certificate.User().Equal(asked.Subject.User()) {
		c.addProblem(AnotherSubject)
	}
}

// addDecision adds who approved the request, where the API server has observed it.
func (c *ClientCertificate) addDecision(object *request.Request, in Circumstances) {
	for i := range object.Status.Conditions {
		condition := &object.Status.Conditions[i]
		if condition.Type != certificatesv1.CertificateApproved || condition.Status == corev1.ConditionFalse {
			continue
		}
		c.Spec.Decision = &Decision{Reason: condition.Reason, Message: condition.Message}
		if !condition.LastUpdateTime.IsZero() {
			c.Spec.Request.DecidedAt = &condition.LastUpdateTime
		}
		// Without a guard, or before there was one, anybody could have written the annotations.
		if in.GuardedSince.IsZero() || !object.CreationTimestamp.After(in.GuardedSince) {
			return
		}
		c.Spec.Decision.By = object.Annotations[DecidedByAnnotation]
		if c.Spec.Decision.By == Approver {
			c.Spec.Decision.Policy = object.Annotations[PolicyAnnotation]
		}
		return
	}
	c.addProblem(NotApproved)
}

func (c *ClientCertificate) addProblem(problem string) {
	for _, known := range c.Spec.Problems {
		if known == problem {
			return
		}
	}
	c.Spec.Problems = append(c.Spec.Problems, problem)
}

// RenewedFrom completes a record with what it renews: earlier is the record of that, or nil.
func (c *ClientCertificate) RenewedFrom(earlier *ClientCertificate) {
	if c.Spec.Renews == nil || earlier == nil || earlier.Name != c.Spec.Renews.Certificate {
		return
	}
	since := &earlier.Spec.NotBefore
	if before := earlier.Spec.Renews; before != nil {
		since = before.Since
	}
	c.Spec.Renews.Since = clone(since)
}
