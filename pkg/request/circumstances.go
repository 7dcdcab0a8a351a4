package request

import (
	"fmt"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Circumstances are what a review takes into account beside the object: who
// decides, and what the cluster's role bindings give already.
type Circumstances struct {
	// Approver is the user who is about to decide, as the cluster knows her.
	// Required.
	Approver string
	// Grants is what role bindings give, as far as they could be read.
	Grants access.Grants
	// GrantsUnread says why role bindings could not be read, or not all of
	// them; "" if all were.
	GrantsUnread string
	// Known is what else there is about users, as far as could be read.
	Known KnownUsers
	// Standing is what the cluster knows of users who left and of other certificates.
	// Optional.
	Standing *Standing
	// Gives says what a user is to get with the approval, by role bindings that do not
	// exist yet. Optional.
	Gives func(identity.User) []access.Wanted
}

// mostGrantsTold bounds how many grants a finding names.
const mostGrantsTold = 4

// Consider adds the findings that depend on the circumstances of a decision.
func (r *Review) Consider(c Circumstances) {
	found := findings(r.Findings)
	if r.Source == "" && r.Requester == c.Approver {
		found.warn(SelfApproved, "you (%s) submitted it yourself", identity.Quote(c.Approver))
	}
	if r.IsDecoded() {
		found.examineGrants(r.User, c.Grants)
		r.examineClaim(&found, c)
	}
	if c.GrantsUnread != "" {
		r.NotChecked = fmt.Sprintf("%s, %s and what RBAC says for %s could not be checked: %s",
			UserAlreadyBound, GroupAlreadyBound, identity.AdminGroup, identity.PrintableSentence(c.GrantsUnread))
	}
	if c.Standing != nil {
		r.considerStanding(&found, c)
	}
	r.Findings = sorted(found)
}

func (r *Review) considerStanding(found *findings, c Circumstances) {
	if r.IsDecoded() {
		claim := Claim{User: r.User, Key: r.Fingerprint}
		if r.SelfRenewal != nil {
			claim.Renews = r.SelfRenewal.CredentialID
		}
		if c.Gives != nil {
			claim.Gives = c.Gives(r.User)
		}
		found.examineStanding(c.Standing, claim)
	}
	if c.Standing.Unread != "" {
		if r.NotChecked != "" {
			r.NotChecked += "; "
		}
		r.NotChecked += fmt.Sprintf("%s could not be checked: %s", strings.Join(ReturnFindings, ", "), identity.PrintableSentence(c.Standing.Unread))
	}
}

// ExamineGrants lists what the role bindings give already to a user and to her
// groups, the refused findings first.
func ExamineGrants(user identity.User, grants access.Grants) []Finding {
	var found findings
	found.examineGrants(user, grants)
	return sorted(found)
}

func (f *findings) examineGrants(user identity.User, grants access.Grants) {
	if given := grants[access.Holder{Name: user.Name}]; len(given) > 0 {
		f.warn(UserAlreadyBound, "the user %s has rights already, which the holder of this certificate would have: %s", identity.Quote(user.Name), tell(given))
	}
	seen := map[string]bool{}
	for _, group := range user.Groups {
		given := grants[access.Holder{IsGroup: true, Name: group}]
		if len(given) == 0 || seen[group] {
			continue
		}
		seen[group] = true
		f.warn(GroupAlreadyBound, "the group %s gives her: %s", identity.Quote(group), tell(given))
		for _, grant := range given {
			if grant.Role == access.ClusterAdmin && grant.Namespace == "" && group != identity.KubeadmAdminsGroup {
				f.refuse(identity.AdminGroup, "the group %s is bound to cluster-admin on this cluster", identity.Quote(group))
				break
			}
		}
	}
}

func tell(grants []access.Grant) string {
	var told []string
	for i, grant := range grants {
		if i == mostGrantsTold {
			told = append(told, fmt.Sprintf("and %d more", len(grants)-i))
			break
		}
		told = append(told, grant.String())
	}
	return strings.Join(told, ", ")
}
