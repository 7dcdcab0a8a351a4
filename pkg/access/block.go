package access

import (
	"encoding/hex"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// The objects by which the API server refuses what a blocked identity writes: one
// policy with its binding, and one ConfigMap that lists who is blocked.
const (
	BlockName      = "csr-onboard-blocked"
	BlockNamespace = "kube-system"
)

// CredentialIDKey is where the API server says by which certificate somebody is
// logged in (k8s.io/apiserver pkg/authentication/user CredentialIDKey).
const CredentialIDKey = "authentication.kubernetes.io/credential-id"

// Blocked is an identity whose writes are refused: every certificate of a user, or
// one.
type Blocked struct {
	// User is the user's name; "" to block one certificate.
	User string
	// CredentialID is the certificate's; "" to block a user.
	CredentialID string
}

// CredentialID is how the API server names a certificate, by the SHA-256 of its
// DER.
func CredentialID(sha256 []byte) string { return "X509SHA256=" + hex.EncodeToString(sha256) }

// Key is the entry's key in the ConfigMap, which holds letters, digits, "-", "_" and
// "." only.
func (b Blocked) Key() string {
	if b.User != "" {
		return "user." + identity.Digest(32, []byte(b.User))
	}
	return "credential." + identity.Digest(32, []byte(b.CredentialID))
}

// Value is what the policy compares with. The prefixes keep a user from being
// called like a certificate.
func (b Blocked) Value() string {
	if b.User != "" {
		return "user:" + b.User
	}
	return "credential:" + b.CredentialID
}

// String is for a person's eyes.
func (b Blocked) String() string {
	if b.User != "" {
		return "the user " + identity.Quote(b.User)
	}
	return "the certificate " + identity.Printable(b.CredentialID)
}

// isBlocked is true of a request by a blocked identity. The ConfigMap may be empty,
// and most users have no extra.
const isBlocked = `has(params.data) && params.data.exists(k, ` +
	`params.data[k] == 'user:' + request.userInfo.username || ` +
	`(has(request.userInfo.extra) && '` + CredentialIDKey + `' in request.userInfo.extra && ` +
	`request.userInfo.extra['` + CredentialIDKey + `'].exists(id, params.data[k] == 'credential:' + id)))`

// BlockPolicy refuses every write (create, update, delete, connect, on every
// resource and subresource) of who is listed. It ignores its own failures: an
// expression that can't be evaluated must not stop a whole cluster.
func BlockPolicy() *admissionregistrationv1.ValidatingAdmissionPolicy {
	ignore := admissionregistrationv1.Ignore
	forbidden := metav1.StatusReasonForbidden
	all := []string{"*"}
	return &admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: blockMeta(""),
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &ignore,
			ParamKind:     &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"},
			MatchConstraints: &admissionregistrationv1.MatchResources{
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
					RuleWithOperations: admissionregistrationv1.RuleWithOperations{
						Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
						Rule:       admissionregistrationv1.Rule{APIGroups: all, APIVersions: all, Resources: []string{"*/*"}},
					},
				}},
			},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "!(" + isBlocked + ")",
				Message:    "this identity was blocked by an administrator with kubectl csr-onboard",
				Reason:     &forbidden,
			}},
		},
	}
}

// BlockPolicyBinding puts the policy into force with the list. Where the list is
// gone, nobody is blocked.
func BlockPolicyBinding() *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	allow := admissionregistrationv1.AllowAction
	return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: blockMeta(""),
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        BlockName,
			ParamRef:          &admissionregistrationv1.ParamRef{Name: BlockName, Namespace: BlockNamespace, ParameterNotFoundAction: &allow},
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
}

// BlockList is the list with no entries.
func BlockList() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: blockMeta(BlockNamespace),
	}
}

func blockMeta(namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: BlockName, Namespace: namespace, Labels: map[string]string{ManagedByLabel: ManagedByValue}}
}
