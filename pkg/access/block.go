package access

import (
	"encoding/hex"
	"fmt"
	"strings"

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

// AcceptedAnnotation says, with the UID of the list's own ConfigMap, that it counts in the
// place of those that were deleted before. A copy of the ConfigMap has another UID.
const AcceptedAnnotation = "csr-onboard.github.io/accepted"

// CredentialIDKey is where the API server says by which certificate somebody is
// logged in (k8s.io/apiserver pkg/authentication/user CredentialIDKey).
const CredentialIDKey = "authentication.kubernetes.io/credential-id"

// Blocked is an identity on the list: every certificate of a user, one certificate or
// service account token, or a user with the certificates that are not pinned.
type Blocked struct {
	// User is the user's name; "" for one certificate or token.
	User string
	// CredentialID is the certificate's or the token's; "" for a user.
	CredentialID string
	// IsPin says that the user is refused except with certificates in the group that the
	// entry's details name. The policy does not read such an entry.
	IsPin bool
}

// CertificateIDPrefix is how the API server's name of a client certificate begins, before the
// SHA-256 of its DER in hexadecimal (k8s.io/apiserver pkg/authentication/request/x509).
const CertificateIDPrefix = "X509SHA256="

// CredentialID is how the API server names a certificate, by the SHA-256 of its
// DER.
func CredentialID(sha256 []byte) string { return CertificateIDPrefix + hex.EncodeToString(sha256) }

// TokenIDPrefix is how the API server's name of a service account token begins, before the
// token's claim "jti" (k8s.io/apiserver pkg/authentication/serviceaccount).
const TokenIDPrefix = "JTI="

// String is for a person's eyes.
func (b Blocked) String() string {
	switch {
	case b.IsPin:
		return "the user " + identity.Quote(b.User) + " except with pinned certificates"
	case b.User != "":
		return "the user " + identity.Quote(b.User)
	case strings.HasPrefix(b.CredentialID, TokenIDPrefix):
		return "the service account token " + identity.Printable(b.CredentialID)
	}
	return "the certificate " + identity.Printable(b.CredentialID)
}

// BlockMessage is the policy's answer to a blocked identity.
const BlockMessage = "this identity was blocked by an administrator with kubectl csr-onboard"

const (
	// RevokedMessage is what an API server answers a revoked identity, and what follows it
	// after ": " is the reason.
	RevokedMessage = "access was revoked by an administrator with kubectl csr-onboard"
	// DenierPath is the path of the denier, which an API server asks about the revoked, by which
	// the error of a call to it is known.
	DenierPath = "/csr-onboard-denier"
)

// IsRevokedAnswer reports whether an answer of an API server, in its words, is that to a
// revoked identity.
func IsRevokedAnswer(text string) bool {
	return strings.Contains(text, RevokedMessage) || strings.Contains(text, DenierPath)
}

// maximumCredentials bounds how many credential ids of one request the policy looks up.
// The API server sets one; more than this come from an impersonator only.
const maximumCredentials = 16

// isBlocked is true of a request by a blocked identity. It looks up one key for the
// user and one for each credential id, so its cost depends on nothing that a user or
// the length of the list decides: names that no key can hold (see MaximumBlockedName)
// are not looked up. '%x' is hexadecimal in the string library that Kubernetes 1.30 has
// (k8s.io/apiserver pkg/cel/environment, ext.Strings version 2). The ConfigMap may be
// empty, and most users have no extra.
var isBlocked = fmt.Sprintf(`has(params.data) && (`+
	`size(request.userInfo.username) <= %[1]d && '%[3]s' + '%%x'.format([request.userInfo.username]) in params.data || `+
	`has(request.userInfo.extra) && '%[5]s' in request.userInfo.extra && (`+
	`size(request.userInfo.extra['%[5]s']) > %[2]d || `+
	`request.userInfo.extra['%[5]s'].exists(id, size(id) <= %[1]d && '%[4]s' + '%%x'.format([id]) in params.data)))`,
	MaximumBlockedName, maximumCredentials, userKeyPrefix, certificateKeyPrefix, CredentialIDKey)

// BlockPolicy refuses every write (create, update, delete, connect, on every
// resource and subresource) of who is listed.
//
// failurePolicy is Ignore because of what is left to fail: the API server reads the list
// before it looks at matchConditions, so with Fail a list that cannot be read would stop
// every write in the cluster, its own control plane's included. The expression itself
// cannot be made to fail (see isBlocked). Kubernetes' own identities are never blocked.
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
			MatchConditions: []admissionregistrationv1.MatchCondition{{
				Name: "is-not-of-kubernetes", Expression: "!request.userInfo.username.startsWith('system:')",
			}},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "!(" + isBlocked + ")",
				Message:    BlockMessage,
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
