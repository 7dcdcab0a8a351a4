package report

import (
	"io"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// requestReview is the versioned form in which scripts read a review.
type requestReview struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Cluster is the context of the cluster, where several were asked.
	Cluster string `json:"cluster,omitempty"`
	// Source is the file of a request that is not on the cluster yet.
	Source  string        `json:"source,omitempty"`
	Request requestReport `json:"request"`
	// Deleted says that the object is gone, and this is how it was last.
	Deleted bool `json:"deleted,omitempty"`
	// User is who the certificate would make its holder; absent where the
	// request cannot be decoded, and so are the three below.
	User    *userReport     `json:"user,omitempty"`
	Subject []attributeForm `json:"subject,omitempty"`
	Key     string          `json:"key,omitempty"`
	// Fingerprint is the public key's, as new-user printed it.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Requester is who submitted the request, as the API server recorded them;
	// absent while nobody has.
	Requester *userReport `json:"requester,omitempty"`
	// RequesterCanApprove reports that the requester is known to be able to approve the request.
	RequesterCanApprove bool `json:"requesterCanApprove,omitempty"`
	// SelfRenewal is there where they submitted it as themselves, logged in with a client
	// certificate, and asks for no group that they are not in.
	SelfRenewal *selfRenewalReport `json:"selfRenewal,omitempty"`
	// State is Pending, Approved, Issued, Denied or Failed.
	State string `json:"state"`
	// Message is what the approver or the signer had to say about the state.
	Message string `json:"message,omitempty"`
	// Policy is what approval policies have done about the request; absent if nothing.
	Policy *policyReport `json:"policy,omitempty"`
	// Ledger is what the user, and the requester if that is another, have already by certificates;
	// absent where the cluster has no ledger, or it could not be read.
	Ledger []holdingsReport `json:"ledger,omitempty"`
	// Certificate is what the signer stored, unchecked.
	Certificate *certificateReport `json:"certificate,omitempty"`
	Findings    []findingReport    `json:"findings"`
	// NotChecked says which findings were not looked for, and why.
	NotChecked string `json:"notChecked,omitempty"`
}

type holdingsReport struct {
	User string `json:"user"`
	// Certificates is how many log in, and Until when the last of them expires, an RFC 3339 time.
	Certificates int    `json:"certificates"`
	Until        string `json:"until,omitempty"`
	// Revoked is how many have not expired and are revoked.
	Revoked int `json:"revoked"`
}

type policyReport struct {
	// Outcome is "approved by policy", "denied by policy", "left to people" or "error, left to people".
	Outcome string `json:"outcome"`
	// Why says why, and by which policy.
	Why string `json:"why,omitempty"`
}

type selfRenewalReport struct {
	// CredentialID is which certificate they logged in with, as the API server recorded
	// it.
	CredentialID string `json:"credentialID"`
}

type requestReport struct {
	Name            string   `json:"name"`
	UID             string   `json:"uid,omitempty"`
	ResourceVersion string   `json:"resourceVersion,omitempty"`
	SignerName      string   `json:"signerName"`
	Usages          []string `json:"usages"`
	// ExpirationSeconds is the lifetime asked for; absent if none is.
	ExpirationSeconds *int32 `json:"expirationSeconds,omitempty"`
	// CreatedAt is an RFC 3339 time.
	CreatedAt string `json:"createdAt,omitempty"`
	// Deleting says that the object is being deleted.
	Deleting bool `json:"deleting,omitempty"`
}

// attributeForm is one attribute of the subject, in the order of the DER.
type attributeForm struct {
	// Type is a short name such as "CN", or a dotted object identifier.
	Type string `json:"type"`
	// Value is absent where the attribute is not text.
	Value *string `json:"value,omitempty"`
}

type findingReport struct {
	Name string `json:"name"`
	// Severity is "refused" or "warning".
	Severity string `json:"severity"`
	Sentence string `json:"sentence"`
	// Allowable reports whether approve --allow accepts a refused finding.
	Allowable bool `json:"allowable,omitempty"`
	// AcceptedBy is the flag by which this run accepts a refused finding.
	AcceptedBy string `json:"acceptedBy,omitempty"`
}

type requestReviewList struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Items      []requestReview `json:"items"`
}

// OneReview writes a review as JSON or YAML.
func OneReview(out io.Writer, format string, review *request.Review) error {
	return encode(out, format, reviewForm(review))
}

// ReviewDocument is OneReview as one of a sequence, for which YAML needs a mark. In
// a sequence a request may be gone.
func ReviewDocument(out io.Writer, format string, review *request.Review, deleted bool) error {
	if format == "yaml" {
		if _, err := io.WriteString(out, "---\n"); err != nil {
			return err
		}
	}
	form := reviewForm(review)
	form.Deleted = deleted
	return encode(out, format, form)
}

// Reviews writes a list of reviews as JSON or YAML.
func Reviews(out io.Writer, format string, reviews []*request.Review) error {
	list := requestReviewList{APIVersion: APIVersion, Kind: "RequestReviewList", Items: make([]requestReview, len(reviews))}
	for i, review := range reviews {
		list.Items[i] = reviewForm(review)
	}
	return encode(out, format, list)
}

func reviewForm(r *request.Review) requestReview {
	spec := r.Object.Spec
	form := requestReview{
		APIVersion: APIVersion,
		Kind:       "RequestReview",
		Cluster:    r.Cluster,
		Source:     r.Source,
		Request: requestReport{
			Name:              r.Object.Name,
			UID:               string(r.Object.UID),
			ResourceVersion:   r.Object.ResourceVersion,
			SignerName:        spec.SignerName,
			Usages:            make([]string, len(spec.Usages)),
			ExpirationSeconds: spec.ExpirationSeconds,
			Deleting:          r.Object.DeletionTimestamp != nil,
		},
		Key:         r.Key,
		Fingerprint: r.Fingerprint,
		State:       string(r.State),
		Message:     request.StateMessage(r.Object),
		Findings:    make([]findingReport, len(r.Findings)),
		NotChecked:  r.NotChecked,
	}
	for i, usage := range spec.Usages {
		form.Request.Usages[i] = string(usage)
	}
	if r.Source == "" {
		form.Request.CreatedAt = pki.Stamp(r.Object.CreationTimestamp.Time)
		form.Requester = &userReport{Name: spec.Username, Groups: append([]string{}, spec.Groups...)}
		form.RequesterCanApprove = r.RequesterCanApprove
	}
	if r.IsDecoded() {
		user := userReportOf(r.User)
		form.User = &user
		form.Subject = subjectForm(r.Subject)
	}
	if r.SelfRenewal != nil {
		form.SelfRenewal = &selfRenewalReport{CredentialID: r.SelfRenewal.CredentialID}
	}
	if what, why := r.ByPolicy(); what != "" {
		form.Policy = &policyReport{Outcome: what, Why: why}
	}
	for _, has := range r.Holdings {
		item := holdingsReport{User: has.User, Certificates: has.Live, Revoked: has.Revoked}
		if has.Live > 0 {
			item.Until = pki.Stamp(has.Until)
		}
		form.Ledger = append(form.Ledger, item)
	}
	if r.Certificate != nil {
		certificate := certificateReportOf(r.Certificate)
		form.Certificate = &certificate
	}
	for i, finding := range r.Findings {
		refused := finding.Severity == identity.Refused
		form.Findings[i] = findingReport{finding.Name, string(finding.Severity), finding.Sentence, refused && !finding.Final, finding.AcceptedBy}
	}
	return form
}

func subjectForm(subject pki.Subject) []attributeForm {
	forms := make([]attributeForm, len(subject))
	for i, attribute := range subject {
		forms[i].Type = attribute.Name()
		if attribute.IsText {
			forms[i].Value = &attribute.Value
		}
	}
	return forms
}
