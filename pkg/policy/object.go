package policy

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
)

// What the API calls the objects. Deploy/crds has the schema.
const (
	// Group is the API group, and Version its version.
	Group   = "csr-onboard.github.io"
	Version = "v1alpha1"
	// APIVersion is both, as objects have it.
	APIVersion = Group + "/" + Version
	// Kind is the kind of the objects, and Resource the name of their resource.
	Kind     = "ApprovalPolicy"
	Resource = "approvalpolicies"
	// UseVerb is the RBAC verb on a policy that its requesters need.
	UseVerb = "use"
)

// ApprovalPolicy is a policy as the API server stores it. Use Of to read what it means.
type ApprovalPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is what the policy says.
	Spec Spec `json:"spec"`
	// Status is what the controller says of it.
	Status Status `json:"status,omitzero"`
}

// Spec is what a policy says. An Approve policy approves a request that is within all of its
// bounds and for which all of its conditions are true. A Deny policy denies a request of its
// subject for which all of its conditions are true.
type Spec struct {
	// Action is Approve or Deny. Required.
	Action Action `json:"action"`
	// Subject is whose requests the policy is about. Optional.
	Subject Subject `json:"subject,omitzero"`
	// MaximumLifetime is the longest lifetime that a request can ask for, such as 8h or 30d.
	// Optional.
	MaximumLifetime string `json:"maximumLifetime,omitempty"`
	// KeyAlgorithms are the algorithms that the key can have (see KeyAlgorithms). Optional.
	KeyAlgorithms []string `json:"keyAlgorithms,omitempty"`
	// Accept names findings that are accepted (see Acceptable). Optional.
	Accept []string `json:"accept,omitempty"`
	// Rate bounds how many requests of one requester are approved. Optional.
	Rate *Rate `json:"rate,omitempty"`
	// MaximumCertificates bounds how many valid certificates a user can have with the
	// requested one: one that is renewed counts until it expires. Optional.
	MaximumCertificates *int `json:"maximumCertificates,omitempty"`
	// MaximumChainAge bounds how long ago the first of a chain of renewals was issued, such as
	// 90d. Optional.
	MaximumChainAge string `json:"maximumChainAge,omitempty"`
	// Conditions are expressions that all have to be true. Optional.
	Conditions []Condition `json:"conditions,omitempty"`

	// unknown are the paths of fields that this version does not know.
	unknown []string
}

// writtenSpec is a Spec of which unknown fields are left to the decoder.
type writtenSpec Spec

// UnmarshalJSON keeps in mind which fields are unknown: a bound of a later version that is not obeyed
// would approve more than the policy says.
func (s *Spec) UnmarshalJSON(text []byte) error {
	unknown, err := document.DecodeKnown(text, (*writtenSpec)(s))
	s.unknown = nil
	for _, field := range unknown {
		s.unknown = append(s.unknown, "spec."+field)
	}
	return err
}

// Action is what a policy does.
type Action string

// The actions.
const (
	Approve Action = "Approve"
	Deny    Action = "Deny"
)

// Subject is whose requests a policy is about.
type Subject struct {
	// Groups are those among which all of the user's groups must be. Optional: any groups.
	Groups []string `json:"groups,omitempty"`
	// Users are the names of the users. Optional: any user.
	Users []string `json:"users,omitempty"`
}

// Rate bounds approvals of one requester.
type Rate struct {
	// Requests is how many are approved in one period. Required.
	Requests int `json:"requests"`
	// Period is at most 1h, for which the cluster keeps requests. Required.
	Period string `json:"period"`
}

// Condition is an expression of CEL (Common Expression Language).
type Condition struct {
	// Name tells it from others of the policy. Required.
	Name string `json:"name"`
	// Expression is either true or false of a request. Required.
	Expression string `json:"expression"`
	// Message says what a request lacks for which the expression is false, or why a Deny policy
	// denies. Optional.
	Message string `json:"message,omitempty"`
}

// Status is what the controller says of a policy.
type Status struct {
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// The conditions of a status.
const (
	// CompiledCondition is True where the controller can evaluate the policy, and False, with
	// the position of each mistake, where it cannot.
	CompiledCondition = "Compiled"
	// EvaluatedCondition is False after a condition of the policy could not be evaluated, with
	// the position at which that failed.
	EvaluatedCondition = "Evaluated"
)
