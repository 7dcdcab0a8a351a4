package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// Table writes requests in rows, as kubectl get does.
type Table struct {
	out     flusher
	printer printers.ResourcePrinter
	now     func() time.Time
}

// flusher is a writer that aligns columns and keeps back what it can't align yet.
type flusher interface {
	io.Writer
	Flush() error
}

// NewTable makes a table whose columns stay where they are from one Write to the
// next as long as nothing wider comes.
func NewTable(out io.Writer, wide, noHeaders bool, now func() time.Time) *Table {
	return &Table{
		out:     printers.GetNewTabWriter(out),
		printer: printers.NewTablePrinter(printers.PrintOptions{Wide: wide, NoHeaders: noHeaders}),
		now:     now,
	}
}

var requestColumns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string"},
	{Name: "User", Type: "string"},
	{Name: "Groups", Type: "string"},
	{Name: "Key", Type: "string"},
	{Name: "Fingerprint", Type: "string"},
	{Name: "Requester", Type: "string"},
	{Name: "State", Type: "string"},
	{Name: "Age", Type: "string"},
	{Name: "Lifetime", Type: "string"},
	{Name: "Findings", Type: "string"},
	{Name: "Signer", Type: "string", Priority: 1},
	{Name: "Usages", Type: "string", Priority: 1},
	{Name: "Finding names", Type: "string", Priority: 1},
	{Name: "Self-renewal", Type: "string", Priority: 1},
}

// none is how kubectl writes that a cell is empty. identity.Name quotes a name like it.
const none = "<none>"

// The characters that a cell has at most: one hostile name must not make every
// row as long as itself.
const (
	longestName = 128
	longestCell = 64
)

// Write adds rows, the first time under their headers.
func (t *Table) Write(reviews ...*request.Review) error {
	table := &metav1.Table{ColumnDefinitions: requestColumns, Rows: make([]metav1.TableRow, len(reviews))}
	for i, review := range reviews {
		table.Rows[i].Cells = t.cells(review, "")
	}
	return t.print(table)
}

// WriteDeleted adds the row of a request that is gone.
func (t *Table) WriteDeleted(review *request.Review) error {
	return t.print(&metav1.Table{ColumnDefinitions: requestColumns, Rows: []metav1.TableRow{{Cells: t.cells(review, "Deleted")}}})
}

func (t *Table) print(table *metav1.Table) error {
	if err := t.printer.PrintObj(table, t.out); err != nil {
		return err
	}
	return t.out.Flush()
}

func (t *Table) cells(r *request.Review, state string) []any {
	if state == "" {
		state = string(r.State)
	}
	user, groupNames, key, fingerprint := "<cannot be read>", none, none, none
	if r.IsDecoded() {
		user, key, fingerprint = identity.Name(r.User.Name), r.Key, r.Fingerprint
		groupNames = joined(r.User.Groups)
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
	return []any{
		cut(identity.Printable(r.Object.Name), longestName),
		cut(user, longestCell),
		cut(groupNames, longestCell),
		key,
		fingerprint,
		cut(identity.Name(r.Requester), longestCell),
		state,
		duration.HumanDuration(t.now().Sub(r.Object.CreationTimestamp.Time)),
		t.lifetime(r),
		countOf(r),
		cut(identity.Printable(r.Object.Spec.SignerName), longestName),
		cut(joined(usageNames), longestCell),
		joined(names),
		selfRenewal(r),
	}
}

func selfRenewal(r *request.Review) string {
	if r.SelfRenewal == nil {
		return none
	}
	return r.SelfRenewal.CredentialID
}

// lifetime is what is asked for, or, once there is a certificate, its real end.
func (t *Table) lifetime(r *request.Review) string {
	switch {
	case r.Certificate != nil:
		end := r.Certificate.Leaf.NotAfter
		if t.now().Before(end) {
			return "until " + pki.Stamp(end)
		}
		return "ended " + pki.Stamp(end)
	case r.Lifetime == 0:
		return none
	}
	return duration.HumanDuration(r.Lifetime)
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
		return none
	}
	return strings.Join(counts, ", ")
}

func joined(names []string) string {
	if len(names) == 0 {
		return none
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = identity.Name(name)
	}
	return strings.Join(quoted, ",")
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
// requests apart and come first; where there is no room, the fingerprint's first characters
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
		if line := strings.Join(parts, "  "); width(line) <= columns {
			return line
		}
	}
	short := shortFingerprint(r)
	return cutToWidth(cutToWidth(user, max(columns-width(short)-2, shortestUser))+"  "+short, columns)
}

// shortestUser is how many columns a user's name gets at least.
const shortestUser = 8

// shortFingerprint is enough of a fingerprint for telling requests apart, and too little for
// comparing it with what a user has said.
func shortFingerprint(r *request.Review) string {
	const shown = len("SHA256:") + 10
	if r.Fingerprint == "" {
		return cutToWidth(identity.Printable(r.Object.Name), shown+1)
	}
	return cutToWidth(r.Fingerprint, shown+1)
}
