package ledger

import (
	"encoding/json"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Guide is where it is explained how the ledger is installed and used.
const Guide = "https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/guides/ledger.md"

// GroupVersion is the API group and version of the resources of csr-onboard.
var GroupVersion = schema.GroupVersion{Group: "csr-onboard.github.io", Version: "v1alpha1"}

// Namespace is the namespace of what deploy/ installs, but for the enforcers.
const Namespace = "csr-onboard-system"

// Kind and Resource name the records, as the CustomResourceDefinition does.
const (
	Kind     = "ClientCertificate"
	Resource = "clientcertificates"
)

// The fields by which the API server selects records.
const (
	UserField      = ".spec.user"
	RequesterField = ".spec.requester.user"
	DeciderField   = ".spec.decision.by"
)

// Source says where a record comes from.
type Source string

// The sources of records.
const (
	FromCluster     Source = "cluster"
	FromAuditLog    Source = "audit-log"
	FromIssuanceLog Source = "issuance-log"
	FromFile        Source = "file"
)

// ClientCertificate is the record of one client certificate. Its name is the SHA-256 of the
// certificate's DER, in 64 hexadecimal digits.
type ClientCertificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what does not change. The API server refuses to change it.
	Spec Spec `json:"spec"`
	// Status is what was learned since.
	Status Status `json:"status,omitzero"`
}

// Spec is what a certificate says, and how it came to be.
type Spec struct {
	// User and Groups are who the API server takes the certificate's holder for.
	User   string   `json:"user"`
	Groups []string `json:"groups,omitempty"`
	// Serial is the serial number in hexadecimal digits.
	Serial string `json:"serial,omitempty"`
	// NotBefore and NotAfter are when the certificate begins and ends.
	NotBefore metav1.Time `json:"notBefore,omitzero"`
	NotAfter  metav1.Time `json:"notAfter,omitzero"`
	// Key is the public key that is certified.
	Key Key `json:"key"`
	// Issuer is who signed.
	Issuer Issuer `json:"issuer,omitzero"`
	// Request is the CertificateSigningRequest, if there was one.
	Request *Request `json:"request,omitempty"`
	// Requester is who submitted the request, as the API server recorded it.
	Requester *Requester `json:"requester,omitempty"`
	// Decision is who approved the request, and why.
	Decision *Decision `json:"decision,omitempty"`
	// Renews is the certificate that the requester logged in with to ask for this one, for
	// the same user.
	Renews *Renewal `json:"renews,omitempty"`
	// Source says where the record comes from.
	Source Source `json:"source"`
	// Verified reports that the certificate was checked against the authorities whose client
	// certificates the API server accepts, and against the request.
	Verified bool `json:"verified"`
	// Problems say why it is not verified, or what else is wrong with it.
	Problems []string `json:"problems,omitempty"`

	// Later are the paths of fields that this version does not know.
	Later []string `json:"-"`
}

// Key is a public key.
type Key struct {
	// Fingerprint is in the form of new-user: "SHA256:" and base64.
	Fingerprint string `json:"fingerprint"`
	// Algorithm is such as "ECDSA P-256".
	Algorithm string `json:"algorithm,omitempty"`
}

// Issuer is who signed a certificate.
type Issuer struct {
	// Name is the issuer's subject, as the certificate has it.
	Name string `json:"name,omitempty"`
	// Fingerprint is that of the public key of the authority, where it was found.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Request is the CertificateSigningRequest of a certificate.
type Request struct {
	// Name and UID are the object's.
	Name string `json:"name"`
	UID  string `json:"uid,omitempty"`
	// CreatedAt is when it was submitted, and DecidedAt when it was approved.
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`
	DecidedAt *metav1.Time `json:"decidedAt,omitempty"`
	// LifetimeSeconds is the lifetime that was asked for; 0 if none was.
	LifetimeSeconds int64 `json:"lifetimeSeconds,omitempty"`
}

// Requester is who submitted a request.
type Requester struct {
	User   string   `json:"user"`
	Groups []string `json:"groups,omitempty"`
	// CredentialID is the id of the certificate or token that the requester logged in with.
	CredentialID string `json:"credentialID,omitempty"`
}

// Decision is who approved a request.
type Decision struct {
	// By is who did, as the API server observed it; "" where nothing has observed it.
	By string `json:"by,omitempty"`
	// Reason and Message are of the condition that the approver wrote.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Policy is the ApprovalPolicy by which csr-onboard-controller approved the request.
	Policy string `json:"policy,omitempty"`
}

// Renewal is what a certificate renews.
type Renewal struct {
	// Certificate is the SHA-256 of the renewed certificate, which is the name of its record.
	Certificate string `json:"certificate"`
	// Since is when the first certificate of the chain began; nil where its record is missing.
	Since *metav1.Time `json:"since,omitempty"`
}

// Status is what was learned about a certificate after it was recorded.
type Status struct {
	// Revoked is set for a certificate on the list of who is revoked, by itself or by its user.
	Revoked bool `json:"revoked,omitempty"`
	// SupersededBy is the SHA-256 of a certificate that renews this one.
	SupersededBy string `json:"supersededBy,omitempty"`
	// LastSeen is when the certificate was last used, as far as audit logs were read.
	LastSeen *metav1.Time `json:"lastSeen,omitempty"`
	// ApprovedBy is who approved the request, as an audit log has it, where the API server
	// could not observe it.
	ApprovedBy string `json:"approvedBy,omitempty"`

	// Later are the fields that this version does not know, by their names.
	Later map[string]json.RawMessage `json:"-"`
}

// DeepCopyObject implements runtime.Object.
func (c *ClientCertificate) DeepCopyObject() runtime.Object {
	copied := *c
	c.DeepCopyInto(&copied.ObjectMeta)
	copied.Spec.Groups, copied.Spec.Problems = slices.Clone(c.Spec.Groups), slices.Clone(c.Spec.Problems)
	copied.Spec.Request, copied.Spec.Decision = clone(c.Spec.Request), clone(c.Spec.Decision)
	if r := copied.Spec.Request; r != nil {
		r.CreatedAt, r.DecidedAt = clone(r.CreatedAt), clone(r.DecidedAt)
	}
	if copied.Spec.Requester = clone(c.Spec.Requester); copied.Spec.Requester != nil {
		copied.Spec.Requester.Groups = slices.Clone(c.Spec.Requester.Groups)
	}
	if copied.Spec.Renews = clone(c.Spec.Renews); copied.Spec.Renews != nil {
		copied.Spec.Renews.Since = clone(c.Spec.Renews.Since)
	}
	copied.Spec.Later, copied.Status.Later = slices.Clone(c.Spec.Later), maps.Clone(c.Status.Later)
	copied.Status.LastSeen = clone(c.Status.LastSeen)
	return &copied
}

func clone[T any](value *T) *T {
	if value == nil {
		return nil
	}
	copied := *value
	return &copied
}

// ApprovedBy is who approved the request: as the API server observed it, or else as an audit
// log has it; "" if that is unknown.
func (c *ClientCertificate) ApprovedBy() string {
	if c.Spec.Decision != nil && c.Spec.Decision.By != "" {
		return c.Spec.Decision.By
	}
	return c.Status.ApprovedBy
}
