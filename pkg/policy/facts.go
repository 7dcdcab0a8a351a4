package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Facts are what a decision about one request depends on.
type Facts struct {
	// Review is that of the request, of which Consider has not been called. Required.
	Review *request.Review
	// Approver is the user who decides. Required.
	Approver string
	// Now is the time of the decision. Required.
	Now time.Time
	// Grants are what role bindings give, and Reaches how far ClusterRoles reach. Required.
	Grants  access.Grants
	Reaches access.Reaches
	// List is who is blocked, revoked and offboarded.
	List access.List
	// Certificates are those of the request's user and the one that the requester is logged in
	// with, as far as they are known.
	Certificates Certificates
	// WithoutLedger says that certificates are unknown of which the request is gone.
	WithoutLedger bool
	// Awaited is how many other requests for the user are approved and have no certificate yet.
	Awaited int
	// Others are the other requests on the cluster for the same user.
	Others []Other
	// Approvals are when policies have approved requests of the same requester, in any order.
	Approvals []time.Time

	// MayUse reports whether the requester has the RBAC verb use on a policy. Required.
	MayUse func(policy string) (bool, error)
	// CanApprove reports whether the requester could approve the request. Required.
	CanApprove func() (bool, error)
	// Authorizer is what the variable authorizer of conditions asks; its type is known to the
	// package that evaluates them. Optional.
	Authorizer any
}

// Other is another request for the same user.
type Other struct {
	// Name is the name of the object.
	Name string
	// Requester is who submitted it.
	Requester string
	// Key is the fingerprint of its key.
	Key string
	// IsPending says that nobody has decided about it.
	IsPending bool
}

// isOwn reports whether the requester is the user.
func (f *Facts) isOwn() bool { return f.Review.Requester == f.Review.User.Name }

// credentials are the ids of what the requester was logged in with.
func (f *Facts) credentials() []string { return f.Review.Object.Spec.Extra[access.CredentialIDKey] }

// IsRenewal reports whether users request for themselves, logged in with a certificate. The API
// server recorded both.
func (f *Facts) IsRenewal() bool {
	return f.isOwn() && slices.ContainsFunc(f.credentials(), func(id string) bool { return strings.HasPrefix(id, access.CertificateIDPrefix) })
}

// Renewed is the certificate that a renewal renews; nil if it is unknown, or the request is not a
// renewal.
func (f *Facts) Renewed() *Certificate {
	if ids := f.credentials(); f.IsRenewal() && len(ids) == 1 {
		return f.Certificates[ids[0]]
	}
	return nil
}

// ChainStart is when the first of the chain of certificates that a request renews was issued;
// zero if that is unknown, or the request is not a renewal.
func (f *Facts) ChainStart() time.Time {
	renewed := f.Renewed()
	if renewed == nil {
		return time.Time{}
	}
	return f.Certificates.chainStart(renewed)
}

// ValidCertificates are the valid certificates of the user, revoked ones left out.
func (f *Facts) ValidCertificates() []*Certificate {
	return slices.DeleteFunc(f.Certificates.Of(f.Review.User.Name), func(one *Certificate) bool {
		_, isRevoked := f.List.Refuses(access.Blocked{CredentialID: one.CredentialID}, f.Now)
		return isRevoked || one.HasExpired(f.Now)
	})
}

// whyRevoked says how the user, the requester or their certificate is on the list of who is
// blocked, revoked or offboarded; "" if they are not.
func (f *Facts) whyRevoked() string {
	for _, name := range []string{f.Review.User.Name, f.Review.Requester} {
		if _, isBlocked := f.List.Refuses(access.Blocked{User: name}, f.Now); isBlocked {
			return "the user " + identity.Quote(name) + " is revoked or blocked"
		}
		if details, isPinned := f.List.Refuses(access.Blocked{User: name, IsPin: true}, f.Now); isPinned &&
			(name != f.Review.Requester || !f.isPinned(details)) {
			return "the user " + identity.Quote(name) + " is revoked except with pinned certificates"
		}
		if _, wasOffboarded := f.List.Offboarded(name); wasOffboarded {
			return "the user " + identity.Quote(name) + " was offboarded"
		}
	}
	for _, id := range f.credentials() {
		if f.List.Distrusts(id, f.Now) {
			return "it was submitted with a certificate or token that is revoked: " + identity.Printable(id)
		}
	}
	return ""
}

// isPinned reports whether the requester is logged in as a member of the group that a pin lets
// through.
func (f *Facts) isPinned(details access.Details) bool {
	return details.PinGroup != "" && slices.Contains(f.Review.Object.Spec.Groups, details.PinGroup)
}
