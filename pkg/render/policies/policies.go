// Package policies turns what approval policies say of requests into text, JSON and YAML. It escapes
// everything as package render does. Only programs that evaluate policies link it.
package policies

import (
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/approve"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

const apiVersion = policy.APIVersion

// policyCheck is the versioned form in which scripts read what policies say of requests.
type policyCheck struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Ledger says of which records the requests are; nil for the requests of the cluster.
	Ledger *ledgerForm   `json:"ledger,omitempty"`
	Items  []checkedForm `json:"items"`
	// Broken says which policies cannot be evaluated, or could not for a request.
	Broken []string `json:"broken,omitempty"`
}

type ledgerForm struct {
	// Since is when the first of the requests can have been submitted.
	Since metav1.Time `json:"since"`
	// Unknown says what records do not hold of requests.
	Unknown []string `json:"unknown"`
	// NotEvaluated counts records that do not hold who asked for what.
	NotEvaluated int `json:"notEvaluated"`
}

type checkedForm struct {
	Request   string `json:"request"`
	User      string `json:"user,omitempty"`
	Requester string `json:"requester"`
	// State is where the request stands.
	State string `json:"state"`
	// Outcome is Approved, Denied, LeftToPeople or Error.
	Outcome string `json:"outcome"`
	// Policy is the one that approves or denies.
	Policy string `json:"policy,omitempty"`
	Why    string `json:"why,omitempty"`
}

// Check writes what the policies say of every request: as a table, or as JSON or YAML.
func Check(out io.Writer, format string, check *approve.Check) error {
	form := policyCheck{APIVersion: apiVersion, Kind: "PolicyCheck", Items: []checkedForm{}, Broken: check.Broken()}
	if !check.Since.IsZero() {
		since := metav1.NewTime(check.Since)
		form.Ledger = &ledgerForm{Since: since, Unknown: ledger.UnknownOfRequests(), NotEvaluated: check.NotEvaluated}
	}
	for _, one := range check.Requests {
		item := formOf(one.Review.Object, one.Review.User.Name, one.Decision)
		item.State = string(one.Review.State)
		form.Items = append(form.Items, item)
	}
	if format != "" {
		return report.Encode(out, format, form)
	}
	grid := screen.NewGrid(out, []screen.GridColumn{
		{Header: "REQUEST", IsName: true}, {Header: "USER", IsName: true}, {Header: "REQUESTER", IsName: true}, {Header: "STATE"}, {Header: "OUTCOME"}, {Header: "POLICY", IsName: true}, {Header: "WHY"},
	}, true, false)
	rows := make([]screen.GridRow, len(form.Items))
	for i, one := range form.Items {
		rows[i] = screen.GridRow{Cells: []string{
			identity.Printable(one.Request), named(one.User), identity.Name(one.Requester), one.State, one.Outcome, named(one.Policy), one.Why,
		}}
	}
	return grid.Write(out, rows...)
}

func named(name string) string {
	if name == "" {
		return screen.None
	}
	return identity.Name(name)
}

func formOf(object *request.Request, user string, decision policy.Decision) checkedForm {
	form := checkedForm{
		Request: object.Name, User: user, Requester: object.Spec.Username, State: string(request.StateOf(object)),
		Outcome: string(decision.Outcome), Why: decision.Why,
	}
	if decision.By != nil {
		form.Policy = decision.By.Name
	}
	return form
}

// policyExplanation is the versioned form of an explanation.
type policyExplanation struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	checkedForm
	// Of is the policy that is explained, and Applies whether it approves or denies the request, if
	// all floors hold.
	Of      string      `json:"explained"`
	Action  string      `json:"action"`
	Applies bool        `json:"applies"`
	Floors  []checkForm `json:"floors"`
	Checks  []checkForm `json:"checks"`
	// Broken says why the policy cannot be evaluated.
	Broken []string `json:"broken,omitempty"`
}

type checkForm struct {
	Name   string `json:"name"`
	Passes bool   `json:"passes"`
	Says   string `json:"says"`
	Error  bool   `json:"error,omitempty"`
}

// Forms are the versioned forms by their kinds, each as an empty value, for what documents them.
func Forms() map[string]any {
	return map[string]any{"PolicyCheck": policyCheck{}, "PolicyExplanation": policyExplanation{}}
}

// Explain writes each floor, bound and condition with its value: as lines, or as JSON or YAML.
func Explain(out io.Writer, format string, e *approve.Explanation) error {
	user := ""
	if e.Facts.Review.IsDecoded() {
		user = e.Facts.Review.User.Name
	}
	of := e.Explained.Policy
	form := policyExplanation{
		APIVersion: apiVersion, Kind: "PolicyExplanation", checkedForm: formOf(e.Request, user, e.Decision),
		Of: of.Name, Action: string(of.Action), Applies: e.Explained.Applies, Floors: checksOf(e.Decision.Floors), Checks: checksOf(e.Explained.Checks),
	}
	for _, mistake := range of.Mistakes {
		form.Broken = append(form.Broken, mistake.String())
	}
	if format != "" {
		return report.Encode(out, format, form)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "request %s for %s, submitted by %s\n", identity.Quote(form.Request), identity.Quote(form.User), identity.Quote(form.Requester))
	b.WriteString("floors, which no policy lifts:\n")
	writeChecks(&b, form.Floors)
	fmt.Fprintf(&b, "policy %s (%s):\n", identity.Quote(form.Of), identity.Printable(form.Action))
	for _, mistake := range form.Broken {
		fmt.Fprintf(&b, "  broken  %s\n", mistake)
	}
	writeChecks(&b, form.Checks)
	fmt.Fprintf(&b, "%s\n", verdict(form))
	_, err := io.WriteString(out, b.String())
	return err
}

func checksOf(checks []policy.Check) []checkForm {
	forms := make([]checkForm, len(checks))
	for i, check := range checks {
		forms[i] = checkForm{Name: check.Name, Passes: check.Passes, Says: check.Says, Error: check.Err != nil}
	}
	return forms
}

func writeChecks(b *strings.Builder, checks []checkForm) {
	width := 0
	for _, check := range checks {
		width = max(width, len(check.Name))
	}
	for _, check := range checks {
		word := "no"
		switch {
		case check.Error:
			word = "error"
		case check.Passes:
			word = "yes"
		}
		fmt.Fprintf(b, "  %-6s  %-*s  %s\n", word, width, check.Name, check.Says)
	}
}

// verdict says what comes of it.
func verdict(form policyExplanation) string {
	text := policy.Outcome(form.Outcome).Sentence()
	if form.Policy != "" {
		text += " " + identity.Quote(form.Policy)
	}
	if form.Why != "" {
		text += ": " + form.Why
	}
	return "outcome of all policies: " + text
}
