package records

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// The forms of a list; "" is a table.
const (
	Wide = "wide"
	JSON = "json"
	YAML = "yaml"
	CSV  = "csv"
	Name = "name"
)

// Formats are the forms of a list that have a name.
func Formats() []string { return []string{Wide, JSON, YAML, CSV, Name} }

// Certificate is the versioned form in which scripts read a record: the object as the API server
// has it, and what the certificate is good for now.
type Certificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Cluster is the context of the cluster, where several were asked.
	Cluster string `json:"cluster,omitempty"`
	// Spec is what the certificate says, and how it came to be.
	Spec ledger.Spec `json:"spec"`
	// Status is what was learned since.
	Status ledger.Status `json:"status,omitzero"`
	// State is valid, superseded, revoked, expired, not-yet-valid or unverified.
	State ledger.State `json:"state"`
}

// Record is a record, and the context of the cluster that has it, where several were asked.
type Record struct {
	*ledger.ClientCertificate

	Cluster string
}

// Writer writes a list of records.
type Writer struct {
	out    io.Writer
	format string
	now    func() time.Time
	grid   *screen.Grid
	csv    *csv.Writer
	count  int
	// ofClusters reports whether the first column is the cluster.
	ofClusters bool
}

// NewWriter makes a writer of one of Formats, or of a table.
func NewWriter(out io.Writer, format string, noHeaders bool, now func() time.Time) *Writer {
	return newWriter(out, format, noHeaders, now, false)
}

// NewWriterOfClusters is NewWriter for records of several clusters.
func NewWriterOfClusters(out io.Writer, format string, noHeaders bool, now func() time.Time) *Writer {
	return newWriter(out, format, noHeaders, now, true)
}

func newWriter(out io.Writer, format string, noHeaders bool, now func() time.Time, ofClusters bool) *Writer {
	w := &Writer{out: out, format: format, now: now, ofClusters: ofClusters}
	switch format {
	case "", Wide:
		shown := columns()
		if ofClusters {
			shown = append([]screen.GridColumn{{Header: "CLUSTER", IsName: true}}, shown...)
		}
		w.grid = screen.NewGrid(out, shown, format == Wide, noHeaders)
	case CSV:
		w.csv = csv.NewWriter(out)
	}
	return w
}

func columns() []screen.GridColumn {
	return []screen.GridColumn{
		{Header: "USER", IsName: true}, {Header: "GROUPS", IsName: true}, {Header: "STATE"}, {Header: "EXPIRES"},
		{Header: "REQUESTER", IsName: true}, {Header: "APPROVED BY", IsName: true},
		{Header: "VALID UNTIL", IsWide: true}, {Header: "SERIAL", IsWide: true}, {Header: "KEY", IsWide: true}, {Header: "FINGERPRINT", IsWide: true},
		{Header: "REQUEST", IsWide: true}, {Header: "SOURCE", IsWide: true}, {Header: "LAST SEEN", IsWide: true}, {Header: "PROBLEMS", IsWide: true}, {Header: "SHA256", IsWide: true},
	}
}

// longestCell bounds a cell: one hostile name must not make every row as long as itself.
const longestCell = 64

// Write writes records.
func (w *Writer) Write(found ...Record) error {
	switch w.format {
	case Name:
		for _, record := range found {
			if _, err := fmt.Fprintf(w.out, "%s.%s/%s\n", strings.ToLower(ledger.Kind), ledger.GroupVersion.Group, record.Name); err != nil {
				return err
			}
		}
		return nil
	case CSV:
		return w.writeCSV(found)
	case JSON, YAML:
		return w.writeDocuments(found)
	}
	rows := make([]screen.GridRow, len(found))
	for i, record := range found {
		rows[i] = w.row(record)
	}
	return w.grid.Write(w.out, rows...)
}

// End writes what follows the last record.
func (w *Writer) End() error {
	if w.format == CSV && w.count == 0 {
		return w.writeCSV(nil)
	}
	if w.format != JSON {
		return nil
	}
	text := "\n    ]\n}\n"
	if w.count == 0 {
		text = w.opening() + "]\n}\n"
	}
	_, err := io.WriteString(w.out, text)
	return err
}

func (w *Writer) row(record Record) screen.GridRow {
	spec, state := record.Spec, record.StateAt(w.now())
	color := ""
	switch {
	case state.LogsIn() && len(spec.Problems) > 0:
		color = screen.Red
	case state == ledger.Revoked, state == ledger.Unverified:
		color = screen.Yellow
	}
	requester, requestName, lastSeen := "", "", screen.None
	if spec.Requester != nil {
		requester = spec.Requester.User
	}
	if spec.Request != nil {
		requestName = spec.Request.Name
	}
	if seen := record.Status.LastSeen; seen != nil {
		lastSeen = duration.HumanDuration(w.now().Sub(seen.Time)) + " ago"
	}
	cells := []string{
		name(spec.User), cut(screen.Names(spec.Groups)), string(state), w.expires(spec.NotAfter.Time), unknown(requester), unknown(record.ApprovedBy()),
		until(spec.NotAfter.Time), orNone(identity.Printable(spec.Serial)), orNone(identity.Printable(spec.Key.Algorithm)), identity.Printable(spec.Key.Fingerprint),
		orNone(cut(identity.Printable(requestName))), identity.Printable(string(spec.Source)), lastSeen, orNone(identity.Printable(strings.Join(spec.Problems, ","))), identity.Printable(record.Name),
	}
	return screen.GridRow{Color: color, Cells: w.withCluster(name, record, cells)}
}

// withCluster puts the cluster before the fields of a record, where several were asked. written is how
// the form writes a name.
func (w *Writer) withCluster(written func(string) string, record Record, fields []string) []string {
	if !w.ofClusters {
		return fields
	}
	return append([]string{written(record.Cluster)}, fields...)
}

func name(text string) string { return cut(identity.Name(text)) }

// unknown is a name, or says that it is unknown, which no name is: identity.Name quotes those that
// are written like it.
func unknown(text string) string {
	if text == "" {
		return "<unknown>"
	}
	return name(text)
}

func orNone(text string) string { return cmp.Or(text, screen.None) }

func cut(text string) string { return screen.Cut(text, longestCell) }

// timeCell is a time in CSV: empty where it is not known, as of a certificate that cannot be read.
func timeCell(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return pki.Stamp(at)
}

func until(at time.Time) string {
	if at.IsZero() {
		return screen.None
	}
	return pki.Stamp(at)
}

// expires says how long a certificate is still valid.
func (w *Writer) expires(at time.Time) string {
	left := at.Sub(w.now())
	switch {
	case at.IsZero():
		return screen.None
	case left <= 0:
		return duration.HumanDuration(-left) + " ago"
	}
	return "in " + duration.HumanDuration(left)
}

// writeCSV writes rows whose first one, the header, names the fields as JSON does. A spreadsheet
// must not take a name for a formula: see field.
func (w *Writer) writeCSV(found []Record) error {
	if w.count == 0 {
		header := []string{
			"sha256", "user", "groups", "state", "notBefore", "notAfter", "serial", "fingerprint", "requester", "approvedBy", "policy", "request", "source", "verified", "problems", "lastSeen",
		}
		if err := w.csv.Write(w.withCluster(func(string) string { return "cluster" }, Record{}, header)); err != nil {
			return err
		}
	}
	w.count++
	for _, record := range found {
		spec := record.Spec
		requester, requestName, policy, lastSeen := "", "", "", time.Time{}
		if spec.Requester != nil {
			requester = spec.Requester.User
		}
		if spec.Request != nil {
			requestName = spec.Request.Name
		}
		if spec.Decision != nil {
			policy = spec.Decision.Policy
		}
		if record.Status.LastSeen != nil {
			lastSeen = record.Status.LastSeen.Time
		}
		if err := w.csv.Write(w.withCluster(field, record, []string{
			record.Name, field(spec.User), field(strings.Join(spec.Groups, ",")), string(record.StateAt(w.now())), timeCell(spec.NotBefore.Time), timeCell(spec.NotAfter.Time),
			field(spec.Serial), field(spec.Key.Fingerprint), field(requester), field(record.ApprovedBy()), field(policy), field(requestName), string(spec.Source),
			strconv.FormatBool(spec.Verified), strings.Join(spec.Problems, ","), timeCell(lastSeen),
		})); err != nil {
			return err
		}
	}
	w.csv.Flush()
	return w.csv.Error()
}

// field escapes what came from outside: what a terminal would obey, and what a spreadsheet takes
// for a formula (OWASP, CSV injection).
func field(text string) string {
	text = identity.Printable(text)
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}

// opening is the begin of the list in JSON, before its first item.
func (w *Writer) opening() string {
	return "{\n    \"apiVersion\": \"" + ledger.GroupVersion.String() + "\",\n    \"kind\": \"" + ledger.Kind + "List\",\n    \"items\": ["
}

// writeDocuments writes the items of a list in JSON, or a document for each in YAML.
func (w *Writer) writeDocuments(found []Record) error {
	for _, record := range found {
		var text bytes.Buffer
		form := Certificate{
			TypeMeta: metav1.TypeMeta{APIVersion: ledger.GroupVersion.String(), Kind: ledger.Kind}, ObjectMeta: record.ObjectMeta,
			Cluster: record.Cluster, Spec: record.Spec, Status: record.Status, State: record.StateAt(w.now()),
		}
		if err := report.Encode(&text, w.format, form); err != nil {
			return err
		}
		before, item := "---\n", text.Bytes()
		switch {
		case w.format == JSON:
			before = ",\n        "
			if w.count == 0 {
				before = w.opening() + "\n        "
			}
			// No string in JSON holds a line feed.
			item = bytes.ReplaceAll(bytes.TrimSpace(item), []byte("\n"), []byte("\n        "))
		case w.count == 0:
			before = ""
		}
		w.count++
		if _, err := w.out.Write(slices.Concat([]byte(before), item)); err != nil {
			return err
		}
	}
	return nil
}
