package report

import (
	"io"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
)

// contextStatusList is the versioned form in which scripts read how things are with
// contexts.
type contextStatusList struct {
	APIVersion string              `json:"apiVersion"`
	Kind       string              `json:"kind"`
	Items      []contextStatusForm `json:"items"`
}

type contextStatusForm struct {
	Context string `json:"context"`
	Current bool   `json:"current"`
	// Login is what it logs in with.
	Login string `json:"login"`
	// User is absent where it is unknown.
	User *userReport `json:"user,omitempty"`
	// Certificate is absent where it logs in with something else.
	Certificate *certificateReport `json:"certificate,omitempty"`
	// SecondsLeft is how long the certificate is still good for; negative if it has
	// ended.
	SecondsLeft *int64 `json:"secondsLeft,omitempty"`
	// Renewal is absent where none was begun.
	Renewal *pendingRenewal `json:"renewal,omitempty"`
	// RenewsItself reports that csr-onboard renews the certificate before it expires.
	RenewsItself bool `json:"renewsItself,omitempty"`
	// Unrenewed are further certificates of the user, of no context here, that were due to be renewed
	// and were not; absent where the cluster has no ledger, or the user cannot list it.
	Unrenewed []unrenewedReport `json:"unrenewed,omitempty"`
	// Live is yes, no (the API server has refused the login), unreachable (it did not decide), or not tried.
	Live string `json:"live"`
	// Problem says why it is not.
	Problem string `json:"problem,omitempty"`
}

type unrenewedReport struct {
	// CredentialID is how Kubernetes names the certificate in audit logs.
	CredentialID string `json:"credentialID"`
	// NotAfter is an RFC 3339 time.
	NotAfter string `json:"notAfter"`
}

type pendingRenewal struct {
	Request string `json:"request"`
	// State is Pending, Approved, Issued, Denied or Failed.
	State string `json:"state"`
}

// Statuses writes the state of contexts as data.
func Statuses(out io.Writer, format string, statuses []renewal.ContextStatus, now time.Time) error {
	list := contextStatusList{APIVersion: APIVersion, Kind: "ContextStatusList", Items: make([]contextStatusForm, len(statuses))}
	for i, status := range statuses {
		list.Items[i] = statusForm(status, now)
	}
	return encode(out, format, list)
}

func statusForm(s renewal.ContextStatus, now time.Time) contextStatusForm {
	form := contextStatusForm{Context: s.Name, Current: s.IsCurrent, Login: s.Login, Live: string(s.Live), Problem: s.Problem, RenewsItself: s.RenewsItself}
	if s.User.Name != "" {
		user := userReportOf(s.User)
		form.User = &user
	}
	if s.Certificate != nil {
		certificate := certificateReportOf(s.Certificate)
		left := s.Certificate.SecondsLeft(now)
		form.Certificate, form.SecondsLeft = &certificate, &left
	}
	for _, record := range s.Unrenewed {
		form.Unrenewed = append(form.Unrenewed, unrenewedReport{CredentialID: record.CredentialID(), NotAfter: pki.Stamp(record.Spec.NotAfter.Time)})
	}
	if s.Renewal != "" {
		form.Renewal = &pendingRenewal{Request: s.RenewalRequest, State: string(s.Renewal)}
	}
	return form
}
