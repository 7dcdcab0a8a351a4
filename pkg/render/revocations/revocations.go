// Package revocations turns what came of a revocation, and the list of revocations, into text,
// JSON and YAML. It escapes everything as package render does.
package revocations

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/revoke"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

// Revoked writes that an identity is refused, and by how many API servers.
func Revoked(out io.Writer, blocked access.Blocked, result *revoke.Result, note string) error {
	if len(result.Servers) == 0 {
		return writeLine(out, "revoked %s%s", blocked, note)
	}
	if result.IsUserUnknown {
		note = "; " + unknownUser(blocked) + note
	}
	return writeLine(out, "revoked %s: refused by %s%s", blocked, serversIn(result), note)
}

// unknownUser says what is not known of a certificate or token whose user is unknown: whether the
// user is one whom no entry for it refuses.
func unknownUser(blocked access.Blocked) string {
	if revocation.IsToken(blocked) {
		return "its user is unknown, and it still works if that is not a service account"
	}
	return "its user is unknown, and it still works if that is a system: user other than a kubelet, or a member of system:masters"
}

// Unrevoked writes that an identity is not refused any more.
func Unrevoked(out io.Writer, blocked access.Blocked, result *revoke.Result, note string) error {
	if result.WasOffboarded {
		note = "; no longer recorded as offboarded" + note
	}
	done := "unrevoked"
	if result.WasOnlyBlocked {
		done = "not revoked, but blocked: unblocked"
	}
	switch {
	case !result.WasListed:
		return writeLine(out, "%s is not revoked%s", blocked, note)
	case len(result.Servers) == 0:
		return writeLine(out, "%s %s%s", done, blocked, note)
	}
	return writeLine(out, "%s %s: no longer refused by %s%s", done, blocked, serversIn(result), note)
}

// Accepted writes that the list counts as it is.
func Accepted(out io.Writer, result *revoke.Result, note string) error {
	switch {
	case result.IsMissing:
		return writeLine(out, "nothing to accept: the list was not found%s", note)
	case !result.WasListed:
		return writeLine(out, "the list is already accepted%s", note)
	case len(result.Servers) == 0:
		return writeLine(out, "accepted the list%s", note)
	}
	return writeLine(out, "accepted the list: it alone is in force at %s%s", serversIn(result), note)
}

func serversIn(result *revoke.Result) string {
	return fmt.Sprintf("%s in %.1fs", revocation.Of(revocation.InForce(result.Servers), result.Servers), result.Took.Seconds())
}

func writeLine(out io.Writer, format string, arguments ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", arguments...)
	return err
}

// revocationList is the versioned form in which scripts read who is revoked.
type revocationList struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Items      []revocationForm `json:"items"`
	// Servers are the API servers, and Problems what on the list cannot be enforced. A problem begins
	// with the context of its cluster and a colon where several were asked.
	Servers  []serverForm `json:"servers"`
	Problems []string     `json:"problems,omitempty"`
}

type revocationForm struct {
	// Cluster is the context of the cluster, where several were asked.
	Cluster string `json:"cluster,omitempty"`
	// Kind is user, certificate, token or pin.
	Kind         string `json:"kind"`
	User         string `json:"user,omitempty"`
	CredentialID string `json:"credentialID,omitempty"`
	// Blocked says that the entry was made to refuse what is written (offboard --block). Where enforcers
	// run, everything is refused for it as well.
	Blocked bool `json:"blocked,omitempty"`
	// Pinned is the group in whose certificates a pin lets the user through.
	Pinned   []string   `json:"pinned,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	By       string     `json:"by,omitempty"`
	At       *time.Time `json:"at,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
	NotAfter *time.Time `json:"notAfter,omitempty"`
}

type serverForm struct {
	// Cluster is the context of the cluster, where several were asked.
	Cluster string `json:"cluster,omitempty"`
	Node    string `json:"node"`
	InForce bool   `json:"inForce"`
	// Why says why it is not.
	Why         string     `json:"why,omitempty"`
	Entries     *int       `json:"entries,omitempty"`
	ProvenUntil *time.Time `json:"provenUntil,omitempty"`
	File        string     `json:"fileSHA256,omitempty"`
	Version     string     `json:"version,omitempty"`
	Problems    []string   `json:"problems,omitempty"`
}

// Forms are the versioned forms by their kinds, each as an empty value, for what documents them.
func Forms() map[string]any { return map[string]any{"RevocationList": revocationList{}} }

// List writes who is revoked, and whether that is in force at each API server: as lines
// for people, or as JSON or YAML.
func List(out io.Writer, format string, status *revoke.Status, now time.Time) error {
	if format != "" {
		return Lists(out, format, []report.OnCluster[*revoke.Status]{{Value: status}})
	}
	w := &lines{}
	switch {
	case !status.Exists && status.IsMoreInForce():
		w.line("the list does not exist; what the last one refused stays refused")
	case !status.Exists:
		w.line("nobody is revoked: the list does not exist")
	case len(status.Entries) == 0:
		w.line("nobody is revoked")
	}
	for _, entry := range status.Entries {
		w.line("%s%s", entry.Blocked, describeDetails(entry, now))
	}
	for _, problem := range status.Problems {
		w.line("cannot be enforced: %s", problem)
	}
	if !status.CanRevoke() {
		w.line("no enforcer reports, so %s; see %s", withoutEnforcers(status), revocation.Guide)
	}
	if len(status.Servers) > 0 {
		w.line("in force at %s:", revocation.Of(revocation.InForce(status.Servers), status.Servers))
	}
	for _, server := range status.Servers {
		w.server(server, now)
	}
	_, err := io.WriteString(out, w.String())
	return err
}

// Lists writes who is revoked on each of several clusters as one list, as JSON or YAML.
func Lists(out io.Writer, format string, all []report.OnCluster[*revoke.Status]) error {
	form := revocationList{APIVersion: report.APIVersion, Kind: "RevocationList", Items: []revocationForm{}, Servers: []serverForm{}}
	for _, one := range all {
		form.add(one.Cluster, one.Value)
	}
	return report.Encode(out, format, form)
}

// withoutEnforcers says what follows where no enforcer reports.
func withoutEnforcers(status *revoke.Status) string {
	switch {
	case len(status.Entries) == 0:
		return "users and certificates cannot be revoked until enforcers are set up"
	case !status.HasRevocations():
		return "who is blocked is refused what they write, by the admission policy alone"
	}
	return "no revocation on the list is known to be in force"
}

// lines are what is written, complete.
type lines struct{ strings.Builder }

func (l *lines) line(format string, arguments ...any) {
	fmt.Fprintf(&l.Builder, format+"\n", arguments...)
}

func describeDetails(entry access.Entry, now time.Time) string {
	details, text := entry.Details, ""
	if entry.Blocked.User == "" && details.User != "" {
		text += " of " + identity.Quote(details.User)
	}
	if entry.Blocked.CredentialID != "" && details.User == "" {
		text += " (" + unknownUser(entry.Blocked) + ")"
	}
	if details.PinGroup != "" {
		text += ", which are in the group " + identity.Name(details.PinGroup)
	}
	if entry.IsBlockOfWrites() {
		text += " (blocked; refused altogether where enforcers run)"
	}
	if !details.At.IsZero() {
		text += fmt.Sprintf(", %s ago by %s", duration.HumanDuration(now.Sub(details.At)), identity.Quote(details.By))
	}
	if details.Until != nil {
		text += ", until " + pki.Stamp(*details.Until)
	}
	if details.NotAfter != nil {
		text += ", expires " + pki.Stamp(*details.NotAfter)
	}
	if details.Reason != "" {
		text += ": " + identity.Printable(details.Reason)
	}
	return text
}

func (l *lines) server(server revocation.Server, now time.Time) {
	state := "in force"
	if server.Why != "" {
		state = "NOT in force: " + server.Why
	}
	about := ""
	if seen := server.Report; seen != nil {
		about = fmt.Sprintf(" (%s, enforcer %s", english.Plural(seen.Entries, "entry", ""), identity.Printable(seen.Version))
		if !seen.ProvenUntil.IsZero() {
			about += fmt.Sprintf(", proven %s ago", duration.HumanDuration(max(0, now.Sub(seen.ProvenUntil))))
		}
		about += ")"
	}
	l.line("  %s: %s%s", identity.Name(server.Node), state, about)
	if server.Report != nil {
		for _, problem := range server.Report.Problems {
			l.line("    problem: %s", identity.PrintableSentence(problem))
		}
	}
}

// add adds what is on the list of a cluster.
func (form *revocationList) add(cluster string, status *revoke.Status) {
	for _, entry := range status.Entries {
		details := entry.Details
		item := revocationForm{
			Cluster: cluster, Kind: "certificate", User: details.User, CredentialID: entry.Blocked.CredentialID,
			Reason: details.Reason, By: details.By, Until: details.Until, NotAfter: details.NotAfter,
		}
		if !details.At.IsZero() {
			item.At = &details.At
		}
		item.Blocked = entry.IsBlockOfWrites()
		switch {
		case entry.Blocked.IsPin:
			item.Kind, item.User = "pin", entry.Blocked.User
			if details.PinGroup != "" {
				item.Pinned = []string{details.PinGroup}
			}
		case entry.Blocked.User != "":
			item.Kind, item.User = "user", entry.Blocked.User
		case revocation.IsToken(entry.Blocked):
			item.Kind = "token"
		}
		form.Items = append(form.Items, item)
	}
	for _, problem := range status.Problems {
		text := problem.String()
		if cluster != "" {
			text = cluster + ": " + text
		}
		form.Problems = append(form.Problems, text)
	}
	for _, server := range status.Servers {
		item := serverForm{Cluster: cluster, Node: server.Node, InForce: server.Why == "", Why: server.Why}
		if seen := server.Report; seen != nil {
			item.Entries, item.File, item.Version, item.Problems = &seen.Entries, seen.File, seen.Version, seen.Problems
			if !seen.ProvenUntil.IsZero() {
				item.ProvenUntil = &seen.ProvenUntil
			}
		}
		form.Servers = append(form.Servers, item)
	}
}
