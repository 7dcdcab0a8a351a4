package resources

import (
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/internal/connection"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// RecordChange is one version of a record, as a watch sees it.
type RecordChange = connection.CustomChange[*ledger.ClientCertificate]

// Policies reads approval policies and writes their status.
type Policies = connection.Custom[*policy.ApprovalPolicy]

// PolicyChange is one version of a policy, as a watch sees it.
type PolicyChange = connection.CustomChange[*policy.ApprovalPolicy]

// Policies is for approval policies.
func (c *Client) Policies() (*Policies, error) {
	return connection.NewCustom(c.api, connection.CustomKind[*policy.ApprovalPolicy]{
		Version: policy.GroupVersion, Kind: policy.Kind, Resource: policy.Resource, Noun: "approval policy", Nouns: "approval policies", Guide: policy.Guide,
		New: func() *policy.ApprovalPolicy { return &policy.ApprovalPolicy{} },
	})
}
