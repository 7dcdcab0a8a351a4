package request

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// Circumstances are what a review takes into account in addition to the object: who
// decides, and what the cluster's role bindings give already.
type Circumstances struct {
	// Approver is the user who is about to decide, as the cluster knows them.
	// Required.
	Approver string
	// Grants is what role bindings give, as far as they could be read.
	Grants access.Grants
	// Reaches is how far the ClusterRoles of the grants reach, as far as they could be
	// read.
	Reaches access.Reaches
	// ReachesUnread says why ClusterRoles could not be read; "" if they were.
	ReachesUnread string
	// GrantsUnread says why role bindings could not be read, or not all of
	// them; "" if all were.
	GrantsUnread string
	// Known is what else there is about users, as far as could be read.
	Known KnownUsers
	// Standing is what the cluster knows of users who left and of other certificates.
	// Optional.
	Standing *Standing
	// RequireOtherApprover refuses a request that the approver submitted. Optional.
	RequireOtherApprover bool
	// Gives says what a user is to get with the approval, by role bindings that do not
	// exist yet. Optional.
	Gives func(identity.User) []access.Wanted
}

// Consider adds the findings that depend on the circumstances of a decision.
func (r *Review) Consider(c Circumstances) {
	r.ConsiderRequester(c)
	found := findings(r.Findings)
	if c.RequireOtherApprover && r.Source == "" && r.Requester == c.Approver {
		found = append(found, Finding{
			Name: SelfApproved, Severity: identity.Refused, Final: true,
			Sentence: fmt.Sprintf("you (%s) submitted it yourself, and somebody else has to approve it", identity.Quote(c.Approver)),
		})
	}
	if r.IsDecoded() {
		found.examineGrants(r.User, c.Grants, c.Reaches)
		r.examineClaim(&found, c)
	}
	if c.GrantsUnread != "" {
		r.NotChecked = fmt.Sprintf("%s, %s and what RBAC says for %s could not be checked: %s",
			UserAlreadyBound, GroupAlreadyBound, identity.AdminGroup, identity.PrintableSentence(c.GrantsUnread))
	}
	if c.ReachesUnread != "" {
		r.alsoNotChecked(fmt.Sprintf("how far ClusterRoles reach could not be checked: %s", identity.PrintableSentence(c.ReachesUnread)))
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
		r.alsoNotChecked(fmt.Sprintf("%s could not be checked: %s", strings.Join(ReturnFindings, ", "), identity.PrintableSentence(c.Standing.Unread)))
	}
}

func (r *Review) alsoNotChecked(sentence string) {
	if r.NotChecked != "" {
		r.NotChecked += "; "
	}
	r.NotChecked += sentence
}

// ExamineGrants lists what the role bindings give already to a user and to the user's
// groups, the refused findings first. reaches says how far their roles reach.
func ExamineGrants(user identity.User, grants access.Grants, reaches access.Reaches) []Finding {
	var found findings
	found.examineGrants(user, grants, reaches)
	return sorted(found)
}

func (f *findings) examineGrants(user identity.User, grants access.Grants, reaches access.Reaches) {
	own := len(*f)
	if given := grants[access.Holder{Name: user.Name}]; len(given) > 0 {
		f.warn(UserAlreadyBound, "the user %s already has roles, which the holder of this certificate would have: %s", identity.Quote(user.Name), reaches.Tell(given))
	}
	of := func(group string) []access.Grant { return grants[access.Holder{IsGroup: true, Name: group}] }
	groups := slices.DeleteFunc(slices.Clone(user.Groups), func(group string) bool { return len(of(group)) == 0 })
	slices.SortStableFunc(groups, func(a, b string) int {
		return cmp.Or(cmp.Compare(reaches.RankOf(of(a)), reaches.RankOf(of(b))), cmp.Compare(a, b))
	})
	groups = slices.Compact(groups)
	var together []access.Grant
	isRefused := false
	for _, group := range groups {
		given := of(group)
		together = append(together, given...)
		f.warn(GroupAlreadyBound, "the group %s gives the user: %s", identity.Quote(group), reaches.Tell(given))
		switch {
		case group == identity.KubeadmAdminsGroup || !reaches.PermitEverything(given):
			continue
		case slices.Contains(given, access.Grant{Role: access.ClusterAdmin}):
			f.refuse(identity.AdminGroup, "the group %s is bound to cluster-admin on this cluster", identity.Quote(group))
		default:
			f.refuse(identity.AdminGroup, "the group %s can do everything on this cluster, as cluster-admin can: %s", identity.Quote(group), reaches.Tell(reaches.Contributing(given)))
		}
		isRefused = true
	}
	if !isRefused && reaches.PermitEverything(together) && !slices.Contains(user.Groups, identity.KubeadmAdminsGroup) {
		f.refuse(identity.AdminGroup, "the user's groups together can do everything on this cluster, as cluster-admin can: %s", reaches.Tell(reaches.Contributing(together)))
	}
	// What bindings give differs in every one of them.
	for i := range (*f)[own:] {
		(*f)[own+i].isTold = true
	}
}
