package condition

import (
	"context"
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/library"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Authorizer answers what the variable authorizer asks: whether a requester is permitted to do
// something. It is what policy.Facts.Authorizer holds.
type Authorizer func(asked authorizer.Attributes) (allowed bool, err error)

// Authorize is the form in which the API server's library asks.
func (a Authorizer) Authorize(_ context.Context, asked authorizer.Attributes) (authorizer.Decision, string, error) {
	allowed, err := a(asked)
	if err != nil || !allowed {
		return authorizer.DecisionNoOpinion, "", err
	}
	return authorizer.DecisionAllow, "", nil
}

// nobody permits nothing, where nobody can be asked.
func nobody(authorizer.Attributes) (bool, error) {
	return false, fmt.Errorf("the API server cannot be asked")
}

// sample are the facts of a request that has nothing.
var sample = &policy.Facts{Review: &request.Review{Object: request.Of(&certificatesv1.CertificateSigningRequest{})}, Now: time.Unix(0, 0)}

// variablesOf are the variables of conditions.
func variablesOf(facts *policy.Facts) map[string]any {
	review, spec := facts.Review, facts.Review.Object.Spec
	usages := make([]string, len(spec.Usages))
	for i, usage := range spec.Usages {
		usages[i] = string(usage)
	}
	findings := make([]string, 0, len(review.Findings))
	for _, finding := range review.Findings {
		if !slices.Contains(findings, finding.Name) {
			findings = append(findings, finding.Name)
		}
	}
	extra := make(map[string][]string, len(spec.Extra))
	for key, values := range spec.Extra {
		extra[key] = values
	}
	return map[string]any{
		varRequest: map[string]any{
			"uid": string(review.Object.UID), "signerName": spec.SignerName, "usages": usages,
			"lifetime": review.Lifetime, "created": review.Object.CreationTimestamp.Time,
		},
		varSubject:      map[string]any{"name": review.User.Name, "groups": listed(review.User.Groups)},
		varKey:          map[string]any{"algorithm": policy.KeyAlgorithm(review.Key), "fingerprint": review.Fingerprint},
		varRequester:    map[string]any{"name": spec.Username, "uid": spec.UID, "groups": listed(spec.Groups), "extra": extra},
		varRenewal:      renewalOf(facts),
		varFindings:     findings,
		varBound:        boundOf(facts),
		varCertificates: certificatesOf(facts),
		varRevoked:      revokedOf(facts),
		varNow:          facts.Now,
		varAuthorizer:   authorizerOf(facts),
	}
}

// listed is a list that is empty rather than missing.
func listed(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}

func renewalOf(facts *policy.Facts) map[string]any {
	renewal := map[string]any{"isRenewal": facts.IsRenewal()}
	if renewed := facts.Renewed(); renewed != nil {
		renewal["credentialID"], renewal["notAfter"] = renewed.CredentialID, renewed.NotAfter
	}
	if start := facts.ChainStart(); !start.IsZero() {
		renewal["chainStart"] = start
	}
	return renewal
}

func boundOf(facts *policy.Facts) map[string]any {
	grantsOf := func(holder access.Holder) []map[string]any {
		grants := []map[string]any{}
		for _, grant := range facts.Grants[holder] {
			grants = append(grants, map[string]any{"role": grant.Role.Kind() + "/" + grant.Role.Name, "namespace": grant.Namespace})
		}
		return grants
	}
	groups := map[string][]map[string]any{}
	for _, group := range facts.Review.User.Groups {
		groups[group] = grantsOf(access.Holder{IsGroup: true, Name: group})
	}
	return map[string]any{"user": grantsOf(access.Holder{Name: facts.Review.User.Name}), "groups": groups}
}

func certificatesOf(facts *policy.Facts) []map[string]any {
	all := []map[string]any{}
	for _, one := range facts.ValidCertificates() {
		all = append(all, map[string]any{
			"credentialID": one.CredentialID, "groups": listed(one.User.Groups), "key": one.Key, "renews": one.Renews,
			"notBefore": one.NotBefore, "notAfter": one.NotAfter,
		})
	}
	return all
}

func revokedOf(facts *policy.Facts) []string {
	ids := []string{}
	for _, entry := range facts.List.CertificatesOf(facts.Review.User.Name) {
		ids = append(ids, entry.Blocked.CredentialID)
	}
	return ids
}

// authorizerOf asks about the requester, as the API server has recorded them.
func authorizerOf(facts *policy.Facts) any {
	spec := facts.Review.Object.Spec
	asks, canAsk := facts.Authorizer.(Authorizer)
	if !canAsk {
		asks = nobody
	}
	info := &user.DefaultInfo{Name: spec.Username, UID: spec.UID, Groups: spec.Groups, Extra: map[string][]string{}}
	for key, values := range spec.Extra {
		info.Extra[key] = values
	}
	return library.NewAuthorizerVal(info, asks)
}
