package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Table writes requests in rows, as kubectl get does. On a terminal, the names in a row are cut so
// that it fits, and its color says what the review found.
type Table struct {
	out  io.Writer
	grid *screen.Grid
	now  func() time.Time
	// ofClusters reports whether the first column is the cluster.
	ofClusters bool
}

// NewTable makes a table whose columns stay where they are from one Write to the
// next as long as nothing wider comes.
func NewTable(out io.Writer, wide, noHeaders bool, now func() time.Time) *Table {
	return &Table{out: out, grid: screen.NewGrid(out, requestColumns(), wide, noHeaders), now: now}
}

// NewTableOfClusters is NewTable for requests on several clusters.
func NewTableOfClusters(out io.Writer, wide, noHeaders bool, now func() time.Time) *Table {
	columns := append([]screen.GridColumn{{Header: "CLUSTER", IsName: true}}, requestColumns()...)
	return &Table{out: out, grid: screen.NewGrid(out, columns, wide, noHeaders), now: now, ofClusters: true}
}

func requestColumns() []screen.GridColumn {
	return []screen.GridColumn{
		{Header: "NAME", IsName: true}, {Header: "USER", IsName: true}, {Header: "GROUPS", IsName: true},
		{Header: "STATE", IsPhrase: true}, {Header: "AGE"}, {Header: "LIFETIME"}, {Header: "FINDINGS"},
		{Header: "EXPIRES", IsWide: true}, {Header: "KEY", IsWide: true}, {Header: "FINGERPRINT", IsWide: true},
		{Header: "REQUESTER", IsWide: true}, {Header: "SIGNER", IsWide: true}, {Header: "USAGES", IsWide: true},
		{Header: "FINDING NAMES", IsWide: true}, {Header: "SELF-RENEWAL", IsWide: true}, {Header: "POLICY", IsWide: true},
	}
}

// Wide is the form of a table with all of its columns.
const Wide = "wide"

// The characters that a cell has at most: one hostile name must not make every
// row as long as itself.
const (
	longestName = 128
	longestCell = 64
)

// Write adds rows, the first time under their headers.
func (t *Table) Write(reviews ...*request.Review) error {
	rows := make([]screen.GridRow, len(reviews))
	for i, review := range reviews {
		rows[i] = t.row(review, stateOf(review))
		rows[i].Color = colorOfFindings(review)
	}
	return t.grid.Write(t.out, rows...)
}

func (t *Table) row(review *request.Review, state string) screen.GridRow {
	cells := t.cells(review, state)
	if t.ofClusters {
		cells = append([]string{cut(identity.Name(review.Cluster), longestName)}, cells...)
	}
	return screen.GridRow{Cells: cells}
}

// WriteDeleted adds the row of a request that is gone.
func (t *Table) WriteDeleted(review *request.Review) error {
	return t.grid.Write(t.out, t.row(review, "Deleted"))
}

// colorOfFindings is red where an approval is refused, and yellow where there is a warning.
func colorOfFindings(r *request.Review) string {
	switch {
	case r.Count(identity.Refused) > 0:
		return screen.Red
	case r.Count(identity.Warning) > 0:
		return screen.Yellow
	}
	return ""
}

func (t *Table) cells(r *request.Review, state string) []string {
	user, groupNames, key, fingerprint := "<cannot be read>", screen.None, screen.None, screen.None
	if r.IsDecoded() {
		user, key, fingerprint = identity.Name(r.User.Name), r.Key, r.Fingerprint
		groupNames = screen.Names(r.User.Groups)
	}
	var usageNames []string
	for _, usage := range r.Object.Spec.Usages {
		usageNames = append(usageNames, string(usage))
	}
	var names []string
	for _, finding := range r.Findings {
		if !slices.Contains(names, finding.Name) {
			names = append(names, finding.Name)
		}
	}
	return []string{
		cut(identity.Printable(r.Object.Name), longestName),
		cut(user, longestCell),
		cut(groupNames, longestCell),
		state,
		duration.HumanDuration(t.now().Sub(r.Object.CreationTimestamp.Time)),
		t.lifetime(r),
		countOf(r),
		expires(r),
		key,
		fingerprint,
		cut(identity.Name(r.Requester), longestCell),
		cut(identity.Printable(r.Object.Spec.SignerName), longestName),
		cut(screen.Names(usageNames), longestCell),
		screen.Names(names),
		selfRenewal(r),
		policySays(r),
	}
}

// stateOf is the state of a request, and what policies have done about it.
func stateOf(r *request.Review) string {
	what, _ := r.ByPolicy()
	switch {
	case what == "":
		return string(r.State)
	case r.State == request.Denied:
		return "Denied by policy"
	}
	return string(r.State) + ", " + what
}

// policySays is why policies have decided, or have not.
func policySays(r *request.Review) string {
	_, why := r.ByPolicy()
	if why == "" {
		return screen.None
	}
	return cut(identity.Printable(why), longestWhy)
}

// longestWhy is how much a cell has of a reason.
const longestWhy = 300

func selfRenewal(r *request.Review) string {
	if r.SelfRenewal == nil {
		return screen.None
	}
	return r.SelfRenewal.CredentialID
}

// lifetime is what is asked for, or, once there is a certificate, what is left of it.
func (t *Table) lifetime(r *request.Review) string {
	switch {
	case r.Certificate != nil:
		left := timeLeft(r.Certificate, t.now())
		if r.Certificate.CheckValidity(t.now()) == nil {
			return left + " left"
		}
		return left
	case r.Lifetime == 0:
		return screen.None
	}
	return duration.HumanDuration(r.Lifetime)
}

// expires is when the certificate of a request expires.
func expires(r *request.Review) string {
	if r.Certificate == nil {
		return screen.None
	}
	return pki.Stamp(r.Certificate.Leaf.NotAfter)
}

func countOf(r *request.Review) string {
	var counts []string
	if n := r.Count(identity.Refused); n > 0 {
		counts = append(counts, fmt.Sprintf("%d refused", n))
	}
	if n := r.Count(identity.Warning); n > 0 {
		counts = append(counts, fmt.Sprintf("%d warned", n))
	}
	if len(counts) == 0 {
		return screen.None
	}
	return strings.Join(counts, ", ")
}

func cut(text string, longest int) string {
	runes := 0
	for i := range text {
		if runes++; runes == longest {
			if len([]rune(text[i:])) == 1 {
				return text
			}
			return text[:i] + "…"
		}
	}
	return text
}

// Choice is a request as a line of a menu, in so many columns. User and fingerprint tell
// requests apart and come first; without room, the fingerprint's first characters
// stand for it, and what comes behind is left out.
func Choice(r *request.Review, now time.Time, columns int) string {
	user := "<cannot be read>"
	if r.IsDecoded() {
		user = cut(r.User.String(), longestCell)
	}
	findings := "findings: " + countOf(r)
	rest := []string{
		"from " + cut(identity.Name(r.Requester), longestCell),
		duration.HumanDuration(now.Sub(r.Object.CreationTimestamp.Time)) + " old",
		findings,
		cut(identity.Printable(r.Object.Name), longestName),
	}
	for _, parts := range [][]string{
		append([]string{user, r.Fingerprint}, rest...),
		append([]string{user, shortFingerprint(r)}, rest...),
		append([]string{user, shortFingerprint(r)}, rest[:3]...),
		{user, shortFingerprint(r), findings},
	} {
		if line := strings.Join(parts, "  "); screen.Width(line) <= columns {
			return line
		}
	}
	short := shortFingerprint(r)
	return screen.Cut(screen.Cut(user, max(columns-screen.Width(short)-2, shortestUser))+"  "+short, columns)
}

// shortestUser is how many columns a user's name gets at least.
const shortestUser = 8

// shortFingerprint is enough of a fingerprint for telling requests apart, and too little for
// comparing it with what a user has said.
func shortFingerprint(r *request.Review) string {
	const shown = len("SHA256:") + 10
	if r.Fingerprint == "" {
		return screen.Cut(identity.Printable(r.Object.Name), shown+1)
	}
	return screen.Cut(r.Fingerprint, shown+1)
}
