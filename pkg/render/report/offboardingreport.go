package report

import (
	"io"
	"slices"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/offboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// offboardingReport is the versioned form in which scripts read what was removed from a user, and
// what the user still has.
type offboardingReport struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Cluster is the context of the cluster, where there are several.
	Cluster string `json:"cluster,omitempty"`
	User    string `json:"user"`
	// DryRun is client or server where nothing was removed; absent otherwise.
	DryRun string `json:"dryRun,omitempty"`
	// Blocked is whom or what the API server refuses to write from now on; absent if nothing is.
	Blocked *blockedReport `json:"blocked,omitempty"`
	// Revoked says that every API server is to refuse the user; absent if that was not asked for.
	Revoked *revokedReport `json:"revoked,omitempty"`
	// DeniedRequests are the names of pending requests that were denied.
	DeniedRequests []string `json:"deniedRequests"`
	// RemovedBindings are the role bindings that do not name the user any more.
	RemovedBindings []bindingReport `json:"removedBindings"`
	Remaining       remainingReport `json:"remaining"`
}

type blockedReport struct {
	User         string `json:"user,omitempty"`
	CredentialID string `json:"credentialID,omitempty"`
}

type revokedReport struct {
	User string `json:"user"`
	// RefusedBy is how many of the API servers were seen refusing the user, and APIServers how many
	// there are; both are 0 in a dry run.
	RefusedBy  int `json:"refusedBy"`
	APIServers int `json:"apiServers"`
}

type bindingReport struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	RoleKind  string `json:"roleKind"`
	Role      string `json:"role"`
	// Deleted reports that the binding is deleted; one that names others stays.
	Deleted bool `json:"deleted,omitempty"`
}

// remainingReport is what a user still has, as far as can be seen.
type remainingReport struct {
	// RoleBindings name the user still.
	RoleBindings []bindingReport `json:"roleBindings"`
	// Groups are the groups of the certificates, with what role bindings give to each.
	Groups       []groupReport            `json:"groups"`
	Certificates []aliveCertificateReport `json:"certificates"`
	// ApprovedRequests are the names of requests that are approved and have no certificate yet.
	ApprovedRequests []string `json:"approvedRequests"`
	// NotRead says why role bindings or roles could not be read; absent if they were.
	NotRead string `json:"notRead,omitempty"`
}

type groupReport struct {
	Name   string        `json:"name"`
	Grants []grantReport `json:"grants"`
}

type grantReport struct {
	RoleKind string `json:"roleKind"`
	Role     string `json:"role"`
	// Namespace is absent where the role counts everywhere.
	Namespace string `json:"namespace,omitempty"`
}

type aliveCertificateReport struct {
	CredentialID string   `json:"credentialID"`
	NotAfter     string   `json:"notAfter"`
	Groups       []string `json:"groups"`
	// Source is the request or the file that the certificate was seen in.
	Source string `json:"source"`
}

// Offboarding writes what was removed from a user, and what remains, as data.
func Offboarding(out io.Writer, format string, plan *offboard.Plan) error {
	return encode(out, format, offboardingForm(plan))
}

type offboardingReportList struct {
	APIVersion string              `json:"apiVersion"`
	Kind       string              `json:"kind"`
	Items      []offboardingReport `json:"items"`
}

// Offboardings is Offboarding for several clusters.
func Offboardings(out io.Writer, format string, all []OnCluster[*offboard.Plan]) error {
	list := offboardingReportList{APIVersion: APIVersion, Kind: "OffboardingReportList", Items: make([]offboardingReport, len(all))}
	for i, one := range all {
		list.Items[i] = offboardingForm(one.Value)
		list.Items[i].Cluster = one.Cluster
	}
	return encode(out, format, list)
}

func offboardingForm(plan *offboard.Plan) offboardingReport {
	form := offboardingReport{
		APIVersion: APIVersion, Kind: "OffboardingReport", User: plan.User,
		DeniedRequests: namesOf(plan.Deny), RemovedBindings: bindingReports(plan.TakeAway, plan.User),
		Remaining: remainingReport{
			RoleBindings: bindingReports(plan.Kept, ""), ApprovedRequests: namesOf(plan.Unissued),
			Groups: []groupReport{}, Certificates: []aliveCertificateReport{}, NotRead: plan.Unread + plan.RulesUnread,
		},
	}
	if plan.DryRun != onboard.DryRunNone {
		form.DryRun = string(plan.DryRun)
	}
	if plan.Block != nil {
		form.Blocked = &blockedReport{User: plan.Block.User, CredentialID: plan.Block.CredentialID}
	}
	if plan.Revoke {
		form.Revoked = &revokedReport{User: plan.User, RefusedBy: plan.RefusedBy, APIServers: plan.APIServers}
	}
	for _, group := range plan.KnownGroups() {
		given := groupReport{Name: group, Grants: []grantReport{}}
		for _, grant := range plan.GroupGrants[access.Holder{IsGroup: true, Name: group}] {
			given.Grants = append(given.Grants, grantReport{RoleKind: grant.Role.Kind(), Role: grant.Role.Name, Namespace: grant.Namespace})
		}
		form.Remaining.Groups = append(form.Remaining.Groups, given)
	}
	for _, alive := range plan.Alive {
		form.Remaining.Certificates = append(form.Remaining.Certificates, aliveCertificateReport{
			CredentialID: alive.CredentialID, NotAfter: pki.Stamp(alive.NotAfter), Groups: append([]string{}, alive.Groups...), Source: alive.Source,
		})
	}
	return form
}

// bindingReports are role bindings; those of the user alone are deleted.
func bindingReports(all []access.Held, user string) []bindingReport {
	reports := make([]bindingReport, len(all))
	for i, held := range all {
		kind := "RoleBinding"
		if held.Meta.Namespace == "" {
			kind = "ClusterRoleBinding"
		}
		reports[i] = bindingReport{
			Kind: kind, Namespace: held.Meta.Namespace, Name: held.Meta.Name,
			RoleKind: held.Grant.Role.Kind(), Role: held.Grant.Role.Name, Deleted: user != "" && held.IsOwn(user),
		}
	}
	return reports
}

func namesOf(reviews []*request.Review) []string {
	names := make([]string, len(reviews))
	for i, review := range reviews {
		names[i] = review.Object.Name
	}
	slices.Sort(names)
	return names
}
