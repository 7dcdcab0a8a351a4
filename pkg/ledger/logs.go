package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// sha256Hex is a SHA-256 as names of records and credential ids have it.
var sha256Hex = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })

// AuditEvent is what an event of an API server's audit log says about certificates.
type AuditEvent struct {
	// At is when the request was answered.
	At time.Time
	// Seen is the SHA-256 of the client certificate that somebody logged in with; "" for those
	// who used something else.
	Seen string
	// Issued is a request with a certificate in its status, as the API server answered it. It is
	// nil for other events, and where the log's level leaves out answers.
	Issued *request.Request
	// Decided is an approval or a denial; nil for other events.
	Decided *Decided
}

// Decided says that somebody wrote into /approval of a request.
type Decided struct {
	Request, UID, By string
	At               time.Time
}

// auditEvent is an event of audit.k8s.io/v1, as far as it is read.
type auditEvent struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Stage      string `json:"stage"`
	Verb       string `json:"verb"`
	User       struct {
		Username string              `json:"username"`
		Extra    map[string][]string `json:"extra"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		APIGroup    string `json:"apiGroup"`
		Name        string `json:"name"`
		UID         string `json:"uid"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	ResponseObject json.RawMessage `json:"responseObject"`
	StageTimestamp time.Time       `json:"stageTimestamp"`
	ImpersonatedBy json.RawMessage `json:"impersonatedUser"`
}

// ParseAuditEvent reads a line of an audit log. It is nil for an event that says nothing about
// certificates: one that was refused, or is not complete.
func ParseAuditEvent(line []byte) (*AuditEvent, error) {
	var read auditEvent
	if err := json.Unmarshal(line, &read); err != nil {
		return nil, errors.New("not a line of JSON")
	}
	if read.Kind != "Event" || !strings.HasPrefix(read.APIVersion, "audit.k8s.io/") {
		return nil, errors.New("not an event of audit.k8s.io")
	}
	if read.Stage != "ResponseComplete" && read.Stage != "ResponseStarted" || read.ResponseStatus.Code >= 300 {
		return nil, nil
	}
	event := &AuditEvent{At: read.StageTimestamp.UTC()}
	if ids := read.User.Extra[access.CredentialIDKey]; len(ids) == 1 {
		if hash, isCertificate := strings.CutPrefix(ids[0], access.CertificateIDPrefix); isCertificate && sha256Hex().MatchString(hash) {
			event.Seen = hash
		}
	}
	if read.ObjectRef.Resource == "certificatesigningrequests" && read.ObjectRef.APIGroup == certificatesv1.GroupName {
		event.addRequest(read)
	}
	return event, nil
}

// addRequest takes in what was done to a request.
func (e *AuditEvent) addRequest(read auditEvent) {
	var object certificatesv1.CertificateSigningRequest
	hasObject := len(read.ResponseObject) > 0 && json.Unmarshal(read.ResponseObject, &object) == nil && object.Name == read.ObjectRef.Name
	if hasObject && object.Spec.SignerName == request.Signer && len(object.Status.Certificate) > 0 {
		e.Issued = request.Of(&object)
	}
	if read.ObjectRef.Subresource != "approval" || read.Verb != "update" && read.Verb != "patch" {
		return
	}
	uid := read.ObjectRef.UID
	if hasObject {
		uid = string(object.UID)
	}
	e.Decided = &Decided{Request: read.ObjectRef.Name, UID: uid, By: deciderOf(read), At: e.At}
}

// deciderOf is the user name that the API server decided for: that of the impersonated user, if
// there is one.
func deciderOf(read auditEvent) string {
	var impersonated struct {
		Username string `json:"username"`
	}
	if len(read.ImpersonatedBy) > 0 && json.Unmarshal(read.ImpersonatedBy, &impersonated) == nil && impersonated.Username != "" {
		return impersonated.Username
	}
	return read.User.Username
}

// decisionSlack is how far the time of a decision in an object, which has seconds, is from that in
// an audit log.
const decisionSlack = 2 * time.Second

// IsOf reports whether a decision is the one by which a certificate was approved: it is about the
// same request, at the same time.
func (d Decided) IsOf(record *ClientCertificate) bool {
	of := record.Spec.Request
	if of == nil || of.DecidedAt == nil || of.Name != d.Request || d.UID != "" && of.UID != "" && of.UID != d.UID {
		return false
	}
	return d.At.Sub(of.DecidedAt.Time).Abs() <= decisionSlack
}

// ParseIssuance reads a line of the issuance log of sign, and makes the record of it.
func ParseIssuance(line []byte) (*ClientCertificate, error) {
	var read pki.Issuance
	if err := json.Unmarshal(line, &read); err != nil {
		return nil, errors.New("not a line of JSON")
	}
	if !sha256Hex().MatchString(read.SHA256) {
		return nil, fmt.Errorf("sha256 %q is not a SHA-256 in hexadecimal", read.SHA256)
	}
	begin, beginErr := time.Parse(time.RFC3339, read.NotBefore)
	end, endErr := time.Parse(time.RFC3339, read.NotAfter)
	if err := errors.Join(beginErr, endErr); err != nil {
		return nil, errors.New("notBefore or notAfter is not a time (RFC 3339)")
	}
	return &ClientCertificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: GroupVersion.String(), Kind: Kind},
		ObjectMeta: metav1.ObjectMeta{Name: read.SHA256},
		Spec: Spec{
			User: read.User, Groups: read.Groups, Serial: strings.ToLower(read.Serial), Key: Key{Fingerprint: read.Fingerprint},
			NotBefore: metav1.NewTime(begin.UTC()), NotAfter: metav1.NewTime(end.UTC()),
			Source: FromIssuanceLog, Problems: []string{CertificateNotSeen},
		},
	}, nil
}
