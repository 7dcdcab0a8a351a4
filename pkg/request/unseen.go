package request

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// KnownUsers is what there is on a cluster about users, in addition to what role bindings say.
type KnownUsers struct {
	// Requests are the request objects on the cluster, by the users that each is for
	// (see UsersOf).
	Requests map[string][]Reference
	// RequestsUnread says why the requests could not be read; "" if they were.
	RequestsUnread string
	// Files is how many requests that came as files are for each user, and are not on
	// the cluster.
	Files map[string]int
	// RequesterCanApprove holds the UIDs of requests whose requester can approve
	// requests for their signer, as the cluster says. It has to be asked only of
	// those that DependsOnRequester names.
	RequesterCanApprove map[types.UID]bool
}

// Reference is which object a request is.
type Reference struct {
	Name string
	UID  types.UID
}

// AddRequesterCanApprove takes in that the requester of a request can approve it.
func (c *Circumstances) AddRequesterCanApprove(r *Review) {
	if c.Known.RequesterCanApprove == nil {
		c.Known.RequesterCanApprove = map[types.UID]bool{}
	}
	c.Known.RequesterCanApprove[r.Object.UID] = true
}

// UsersOf are the users that an object is for: the one in its request, and, where a
// signer has stored a certificate for another, that one as well. A request or a
// certificate that cannot be decoded counts for nothing. What labels and the object's name
// say is the requester's word and counts for nothing either.
func UsersOf(object *Request) []string {
	var users []string
	if parsed, err := object.PKCS10(); err == nil {
		users = append(users, parsed.User().Name)
	}
	if len(object.Status.Certificate) == 0 {
		return users
	}
	certificate, err := pki.ParseCertificate(object.Status.Certificate)
	if err != nil {
		return users
	}
	if name := certificate.User().Name; len(users) == 0 || users[0] != name {
		users = append(users, name)
	}
	return users
}

// DependsOnRequester reports whether findings depend on what the requester of a request is
// permitted to do: those about the requester, and whether the request may be approved without
// being shown to a person.
func (r *Review) DependsOnRequester(c Circumstances) bool {
	if r.Source != "" || r.RequesterCanApprove || c.Known.RequesterCanApprove[r.Object.UID] {
		return false
	}
	return !r.isRequestedBySelfOr(c.Approver) && (r.has(RequestedByOther) || r.whyKnown(c) != "")
}

// ConsiderRequester removes the findings about a requester who can approve the request, as far as
// that is known: that an administrator submits a request for a user is nothing to warn of.
func (r *Review) ConsiderRequester(c Circumstances) {
	if !c.Known.RequesterCanApprove[r.Object.UID] || r.Source != "" {
		return
	}
	r.RequesterCanApprove = true
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		return f.Name == RequestedByOther || f.Name == MoreThanRequester
	})
}

// has reports whether a review has a finding.
func (r *Review) has(name string) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Name == name })
}

// examineClaim is the one rule about approvals that nobody is shown, however the request
// is selected. A request for a user who is known already, or may be, is the user's own,
// or one that somebody has submitted who could approve it as well. Everything else may
// be somebody's who wants to be that user, and is the finding KnownUser.
func (r *Review) examineClaim(f *findings, c Circumstances) {
	known := r.whyKnown(c)
	switch {
	case !r.IsDecoded(), known == "":
	case r.Source != "":
		f.warn(KnownUser, "%s, and a file does not say who sent it", known)
	case !r.isRequestedBySelfOr(c.Approver) && !c.Known.RequesterCanApprove[r.Object.UID]:
		f.warn(KnownUser, "%s, and %s, who submitted it, is neither that user nor somebody who is known to be able to approve it", known, identity.Quote(r.Requester))
	}
}

// isRequestedBySelfOr reports whether a request was submitted by its user, by somebody who
// approves it, or by a member of system:masters, who can do everything.
func (r *Review) isRequestedBySelfOr(approver string) bool {
	if r.Source != "" || r.Requester == "" {
		return false
	}
	return isOfMasters(r.Object.Spec) || r.Requester == r.User.Name || r.Requester == approver
}

// whyKnown says how the user of a request is or may be known, or why that is unknown; or "".
func (r *Review) whyKnown(c Circumstances) string {
	var known []string
	if given := c.Grants[access.Holder{Name: r.User.Name}]; len(given) > 0 {
		known = append(known, "role bindings name that user")
	}
	others := 0
	for _, one := range c.Known.Requests[r.User.Name] {
		if r.Source != "" || one.UID != r.Object.UID {
			if others++; others == 1 {
				known = append(known, "request "+identity.Quote(one.Name))
			}
		}
	}
	if others > 1 {
		known = append(known, english.Plural(others-1, "more request", ""))
	}
	if r.Source != "" && c.Known.Files[r.User.Name] > 1 {
		known = append(known, "another file")
	}
	if len(known) > 0 {
		return fmt.Sprintf("the user %s is already known (%s)", identity.Quote(r.User.Name), strings.Join(known, ", "))
	}
	if group := r.boundGroup(c); group != "" {
		return fmt.Sprintf("the user %s may already be known (role bindings name the group %s)", identity.Quote(r.User.Name), identity.Quote(group))
	}
	var unread []string
	for _, reason := range []string{c.GrantsUnread, c.Known.RequestsUnread} {
		if reason != "" {
			unread = append(unread, identity.PrintableSentence(reason))
		}
	}
	if len(unread) > 0 {
		return fmt.Sprintf("whether the user %s is already known could not be checked (%s)", identity.Quote(r.User.Name), strings.Join(unread, "; "))
	}
	return ""
}

// boundGroup is a group of the request's user that role bindings name; "" if there is
// none. A user may have all rights by such a group, and after the user's own request has
// been garbage-collected nothing on the cluster names that user. A file is not judged by
// its groups: it does not say who sent it, and a person has chosen it.
func (r *Review) boundGroup(c Circumstances) string {
	if r.Source != "" {
		return ""
	}
	for _, group := range r.User.Groups {
		if len(c.Grants[access.Holder{IsGroup: true, Name: group}]) > 0 {
			return group
		}
	}
	return ""
}

// CheckUnseen reports whether a request, of which the circumstances were considered, may
// be approved without being shown to a person. The error is an outcome.ErrUsage, as where
// a question has to be answered and nobody is at a terminal.
func (r *Review) CheckUnseen() error {
	for _, finding := range r.Findings {
		if finding.Name != KnownUser {
			continue
		}
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "certificate signing request %q has to be shown to a person: %s", r.Title(), finding.Name),
			"look at it at a terminal, without --yes: %s; or give the key's fingerprint as the user told it: --fingerprint", r.approveCommand())
	}
	return nil
}

// approveCommand is how to look at a request.
func (r *Review) approveCommand() string {
	approve := identity.NewCommand("kubectl csr-onboard approve")
	if r.Source != "" {
		return approve.Words("-f FILE").String()
	}
	return approve.Argument(r.Object.Name).String()
}
