package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Check is one floor, bound or condition, and what came of it.
type Check struct {
	// Name names it: a floor, a field of a policy, or a condition.
	Name string
	// Passes says that it does not stand in the way of an approval; of a Deny policy, that the
	// request is one of those which it denies.
	Passes bool
	// Says is what was found. It is safe to print.
	Says string
	// Err says that it could not be evaluated, and why; nil if it could.
	Err error
}

// The floors, which no policy lifts.
const (
	FloorReadable       = "readable"
	FloorSigner         = "signer"
	FloorUsages         = "usages"
	FloorIdentity       = "identity"
	FloorAdministrators = "administrators"
	FloorFindings       = "findings"
	FloorLifetime       = "lifetime"
	FloorStanding       = "standing"
	FloorKnownUser      = "known-user"
	FloorRenewal        = "renewal"
	FloorOneKey         = "one-key"
	FloorOwnRequest     = "own-request"
)

// floors are what has to hold for every request that a policy approves, each with a function
// that says what stands in the way; "" if nothing does.
var floors = []struct {
	name  string
	holds string
	check func(f *Facts) (problem string, err error)
}{
	{FloorReadable, "the request can be read and is signed with its own key", floorReadable},
	{FloorSigner, "it is for " + request.Signer, floorSigner},
	{FloorUsages, "its usages are those that the signer accepts", floorUsages},
	{FloorIdentity, "neither user nor groups are reserved for Kubernetes", floorIdentity},
	{FloorAdministrators, "neither the user nor the groups can do everything", floorAdministrators},
	{FloorFindings, "the review found nothing that only people can accept", floorFindings},
	{FloorLifetime, "a lifetime is requested", floorLifetime},
	{FloorStanding, "nobody in it is revoked, blocked or offboarded", floorStanding},
	{FloorKnownUser, "the user is the requester, or unknown so far", floorKnownUser},
	{FloorRenewal, "a renewal is for a valid certificate, its groups, and a new key", floorRenewal},
	{FloorOneKey, "it is the only pending key of the user", floorOneKey},
	{FloorOwnRequest, "the approver did not submit it", floorOwnRequest},
}

// Floors checks all floors. A request for which one does not hold is left to people.
func Floors(f *Facts) []Check {
	checks := make([]Check, len(floors))
	for i, floor := range floors {
		checks[i] = Check{Name: floor.name, Passes: true, Says: floor.holds}
		if i > 0 && !checks[0].Passes {
			checks[i].Says, checks[i].Passes = "not checked", false
			continue
		}
		problem, err := floor.check(f)
		switch {
		case err != nil:
			checks[i] = Check{Name: floor.name, Says: "it could not be checked: " + identity.PrintableSentence(err.Error()), Err: err}
		case problem != "":
			checks[i] = Check{Name: floor.name, Says: problem}
		}
	}
	return checks
}

// firstFailing is the first check that does not pass; nil if all do.
func firstFailing(checks []Check) *Check {
	for i := range checks {
		if !checks[i].Passes {
			return &checks[i]
		}
	}
	return nil
}

func floorReadable(f *Facts) (string, error) {
	if !f.Review.IsDecoded() {
		return sentenceOf(f.Review.Findings, func(request.Finding) bool { return true }), nil
	}
	return sentenceOf(f.Review.Findings, isNamed(request.BadSignature)), nil
}

func floorSigner(f *Facts) (string, error) {
	if name := f.Review.Object.Spec.SignerName; name != request.Signer {
		return "it is for the signer " + identity.Quote(name), nil
	}
	return "", nil
}

func floorUsages(f *Facts) (string, error) {
	return sentenceOf(f.Review.Findings, isNamed(request.WrongUsages)), nil
}

func floorIdentity(f *Facts) (string, error) {
	names := append([]string{f.Review.User.Name}, f.Review.User.Groups...)
	for _, name := range names {
		if identity.IsSystem(name) {
			return identity.Quote(name) + " is reserved for Kubernetes itself", nil
		}
	}
	if f.Review.User.Name == "" {
		return "the user name is empty", nil
	}
	return "", nil
}

func floorAdministrators(f *Facts) (string, error) {
	if problem := sentenceOf(f.Review.Findings, isNamed(identity.AdminGroup)); problem != "" {
		return problem, nil
	}
	if problem := sentenceOf(request.ExamineGrants(f.Review.User, f.Grants, f.Reaches), isNamed(identity.AdminGroup)); problem != "" {
		return problem, nil
	}
	// The holder has what role bindings give to the user and to each of the groups.
	given := slices.Clone(f.Grants[access.Holder{Name: f.Review.User.Name}])
	for _, group := range f.Review.User.Groups {
		given = append(given, f.Grants[access.Holder{IsGroup: true, Name: group}]...)
	}
	if f.Reaches.PermitEverything(given) {
		return "the user can do everything on this cluster, as cluster-admin can: " + f.Reaches.Tell(f.Reaches.Contributing(given)), nil
	}
	return "", nil
}

func floorFindings(f *Facts) (string, error) {
	return sentenceOf(f.Review.Findings, func(finding request.Finding) bool {
		return finding.Severity == identity.Refused && (finding.Final || !slices.Contains(acceptable, finding.Name))
	}), nil
}

func floorLifetime(f *Facts) (string, error) {
	if f.Review.Lifetime <= 0 {
		return "no lifetime is requested, and the cluster would give its longest", nil
	}
	return "", nil
}

func floorStanding(f *Facts) (string, error) { return f.whyRevoked(), nil }

// floorKnownUser is the rule of all approvals that no person is shown: who requests for somebody
// else could pass for a user who exists.
func floorKnownUser(f *Facts) (string, error) {
	if f.isOwn() {
		return "", nil
	}
	user := f.Review.User.Name
	var known string
	switch {
	case len(f.Grants[access.Holder{Name: user}]) > 0:
		known = "role bindings name that user"
	case len(f.Others) > 0:
		known = "request " + identity.Quote(f.Others[0].Name)
	case len(f.Certificates.Of(user)) > 0:
		known = "a certificate was issued"
	case f.WithoutLedger:
	default:
		return "", nil
	}
	can, err := f.CanApprove()
	if err != nil || can {
		return "", err
	}
	if known == "" {
		return fmt.Sprintf("whether the user %s is already known cannot be checked, because %s, and %s is neither that user nor able to approve the request",
			identity.Quote(user), withoutLedger, identity.Quote(f.Review.Requester)), nil
	}
	return fmt.Sprintf("the user %s is already known (%s), and %s is neither that user nor able to approve the request",
		identity.Quote(user), known, identity.Quote(f.Review.Requester)), nil
}

func floorRenewal(f *Facts) (string, error) {
	if !f.IsRenewal() {
		return "", nil
	}
	ids := f.credentials()
	if len(ids) != 1 {
		return fmt.Sprintf("it was submitted with %d credentials, not one", len(ids)), nil
	}
	for _, group := range f.Review.User.Groups {
		if !slices.Contains(f.Review.Object.Spec.Groups, group) {
			return "it requests the group " + identity.Quote(group) + ", which the certificate that it renews does not have", nil
		}
	}
	renewed := f.Renewed()
	switch {
	case renewed == nil:
		return "the certificate that it renews is unknown: neither a request on the cluster nor a record has it (" + identity.Printable(ids[0]) + ")", nil
	case renewed.User.Name != f.Review.User.Name:
		return "the certificate that it renews is of " + identity.Quote(renewed.User.Name), nil
	case renewed.HasExpired(f.Now):
		return "the certificate that it renews has expired", nil
	}
	for _, group := range f.Review.User.Groups {
		if !slices.Contains(renewed.User.Groups, group) {
			return "it requests the group " + identity.Quote(group) + ", which the certificate that it renews does not have", nil
		}
	}
	for _, one := range f.Certificates.Of(f.Review.User.Name) {
		if one.Key == f.Review.Fingerprint {
			return "its key is that of a certificate which the user has had already", nil
		}
	}
	return "", nil
}

func floorOneKey(f *Facts) (string, error) {
	for _, other := range f.Others {
		// What others submit in the name of a user must not stop the user.
		if other.IsPending && other.Requester == f.Review.Requester && other.Key != f.Review.Fingerprint {
			return "the requester has another pending request for the user with another key: " + identity.Quote(other.Name), nil
		}
	}
	return "", nil
}

func floorOwnRequest(f *Facts) (string, error) {
	if f.Review.Requester == "" || f.Review.Requester == f.Approver {
		return "it was submitted by the approver itself", nil
	}
	return "", nil
}

func isNamed(name string) func(request.Finding) bool {
	return func(finding request.Finding) bool { return finding.Name == name }
}

// sentenceOf joins the names and sentences of some findings, a few of them; "" of none.
func sentenceOf(found []request.Finding, which func(request.Finding) bool) string {
	const most = 3
	var said []string
	for _, finding := range found {
		if which(finding) && len(said) < most {
			said = append(said, finding.Name+": "+finding.Sentence)
		}
	}
	return strings.Join(said, "; ")
}
