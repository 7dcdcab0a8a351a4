package render

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
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
	// User is absent where it is not known.
	User *userReport `json:"user,omitempty"`
	// Certificate is absent where it logs in with something else.
	Certificate *certificateReport `json:"certificate,omitempty"`
	// SecondsLeft is how long the certificate is still good for; negative if it has
	// ended.
	SecondsLeft *int64 `json:"secondsLeft,omitempty"`
	// Renewal is absent where none was begun.
	Renewal *renewalForm `json:"renewal,omitempty"`
	// RenewsItself reports that this program renews the certificate before it expires.
	RenewsItself bool `json:"renewsItself,omitempty"`
	// Live is yes, no, unreachable, or not tried.
	Live string `json:"live"`
	// Problem says why it is not.
	Problem string `json:"problem,omitempty"`
}

type renewalForm struct {
	Request string `json:"request"`
	// State is Pending, Approved, Issued, Denied or Failed.
	State string `json:"state"`
}

var statusColumns = []metav1.TableColumnDefinition{
	{Name: "Current", Type: "string"},
	{Name: "Context", Type: "string"},
	{Name: "User", Type: "string"},
	{Name: "Groups", Type: "string"},
	{Name: "Key", Type: "string"},
	{Name: "Until", Type: "string"},
	{Name: "Left", Type: "string"},
	{Name: "Renewal", Type: "string"},
	{Name: "Live", Type: "string"},
}

// The colours of a row on a terminal (ECMA-48, Select Graphic Rendition).
const (
	yellow  = "\x1b[33m"
	red     = "\x1b[31m"
	noColor = "\x1b[0m"
)

// Statuses writes how things are with contexts: as a table for people, or as JSON or
// YAML.
func Statuses(out io.Writer, format string, statuses []renewal.ContextStatus, now time.Time) error {
	if format != "" {
		list := contextStatusList{APIVersion: apiVersion, Kind: "ContextStatusList", Items: make([]contextStatusForm, len(statuses))}
		for i, status := range statuses {
			list.Items[i] = statusForm(status, now)
		}
		return encode(out, format, list)
	}
	table := &metav1.Table{ColumnDefinitions: statusColumns, Rows: make([]metav1.TableRow, len(statuses))}
	for i, status := range statuses {
		table.Rows[i].Cells = statusCells(status, now)
	}
	var text bytes.Buffer
	aligned := printers.GetNewTabWriter(&text)
	if err := printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(table, aligned); err != nil {
		return err
	}
	if err := aligned.Flush(); err != nil {
		return err
	}
	if printers.AllowsColorOutput(out) {
		_, err := io.WriteString(out, colored(text.String(), statuses, now))
		return err
	}
	_, err := out.Write(text.Bytes())
	return err
}

// colored gives a colour to the rows behind the first line. It comes after the
// alignment, which takes a colour for text.
func colored(table string, statuses []renewal.ContextStatus, now time.Time) string {
	rows := strings.SplitAfter(table, "\n")
	for i, status := range statuses {
		var color string
		switch {
		case status.IsInvalid(now), status.Live == renewal.NotLive:
			color = red
		case status.ShouldWarn(now):
			color = yellow
		default:
			continue
		}
		rows[i+1] = color + strings.TrimSuffix(rows[i+1], "\n") + noColor + "\n"
	}
	return strings.Join(rows, "")
}

func statusCells(s renewal.ContextStatus, now time.Time) []any {
	current := ""
	if s.IsCurrent {
		current = "*"
	}
	user, groupNames := none, none
	if s.User.Name != "" {
		user, groupNames = identity.Name(s.User.Name), joined(s.User.Groups)
	}
	key, until, left := identity.Printable(s.Login), none, none
	if s.Certificate != nil {
		end := s.Certificate.Leaf.NotAfter
		key, until, left = pki.DescribeKey(s.Certificate.Leaf.PublicKey), pki.Stamp(end), timeLeft(s.Certificate, now)
	}
	renewalWords := none
	if s.Renewal != "" {
		renewalWords = strings.ToLower(string(s.Renewal))
	}
	return []any{
		current, cut(identity.Printable(s.Name), longestName), cut(user, longestCell), cut(groupNames, longestCell),
		cut(key, longestCell), until, left, renewalWords, string(s.Live),
	}
}

// timeLeft is how long a certificate is still valid, or that it is not.
func timeLeft(certificate *pki.Certificate, now time.Time) string {
	leaf := certificate.Leaf
	switch {
	case !now.Before(leaf.NotAfter):
		return "expired"
	case now.Before(leaf.NotBefore):
		return "not yet"
	}
	left := leaf.NotAfter.Sub(now)
	if left == math.MaxInt64 {
		// A time.Duration holds 292 years.
		return fmt.Sprintf("%dy", leaf.NotAfter.Year()-now.Year())
	}
	return duration.HumanDuration(left)
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
	if s.Renewal != "" {
		form.Renewal = &renewalForm{Request: s.RenewalRequest, State: string(s.Renewal)}
	}
	return form
}
