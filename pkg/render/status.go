package render

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

func statusColumns() []screen.GridColumn {
	return []screen.GridColumn{
		{Header: "CURRENT"}, {Header: "CONTEXT", IsName: true}, {Header: "USER", IsName: true}, {Header: "GROUPS", IsName: true},
		{Header: "LEFT"}, {Header: "RENEWAL"}, {Header: "LIVE"},
		{Header: "EXPIRES", IsWide: true}, {Header: "KEY", IsWide: true},
	}
}

// Statuses writes the state of contexts: as a table for people, which wide has more columns in, or
// as data.
func Statuses(out io.Writer, format string, noHeaders bool, statuses []renewal.ContextStatus, now time.Time) error {
	if format == "name" {
		w := &lines{out: out}
		for _, status := range statuses {
			w.line("%s", identity.Printable(status.Name))
		}
		return w.err
	}
	if format != "" && format != Wide {
		return report.Statuses(out, format, statuses, now)
	}
	return screen.NewGrid(out, statusColumns(), format == Wide, noHeaders).Write(out, statusRows(statuses, now)...)
}

func statusRows(statuses []renewal.ContextStatus, now time.Time) []screen.GridRow {
	rows := make([]screen.GridRow, len(statuses))
	for i, status := range statuses {
		rows[i] = screen.GridRow{Cells: statusCells(status, now), Color: colorOfStatus(status, now)}
	}
	return rows
}

func colorOfStatus(status renewal.ContextStatus, now time.Time) string {
	switch {
	case status.IsInvalid(now), status.Live == renewal.NotLive:
		return screen.Red
	case status.ShouldWarn(now):
		return screen.Yellow
	}
	return ""
}

func statusCells(s renewal.ContextStatus, now time.Time) []string {
	current := ""
	if s.IsCurrent {
		current = "*"
	}
	user, groupNames := screen.None, screen.None
	if s.User.Name != "" {
		user, groupNames = identity.Name(s.User.Name), screen.Names(s.User.Groups)
	}
	key, until, left := identity.Printable(s.Login), screen.None, screen.None
	if s.Certificate != nil {
		end := s.Certificate.Leaf.NotAfter
		key, until, left = pki.DescribeKey(s.Certificate.Leaf.PublicKey), pki.Stamp(end), timeLeft(s.Certificate, now)
	}
	renewalWords := screen.None
	if s.Renewal != "" {
		renewalWords = strings.ToLower(string(s.Renewal))
	}
	return []string{
		current, cut(identity.Printable(s.Name), longestName), cut(user, longestCell), cut(groupNames, longestCell),
		left, renewalWords, string(s.Live), until, cut(key, longestCell),
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
