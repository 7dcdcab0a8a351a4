package revocation

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// ReportNamespace is where the enforcers' Leases are, and ReportLabel and ReportValue mark
// them.
const (
	ReportNamespace = access.BlockNamespace
	ReportLabel     = "csr-onboard.github.io/component"
	ReportValue     = "enforcer"
)

const (
	reportPrefix = "csr-onboard-enforcer-"
	annotation   = "csr-onboard.github.io/"

	// ReportDuration is how long a report is valid. An enforcer renews it three times as
	// often.
	ReportDuration = 30 * time.Second

	// mostReported bounds the problems of a report, and longestReported each of them, in bytes.
	mostReported    = 20
	longestReported = 500
)

// Report is what the enforcer of one control-plane node says: which file is in force at the
// API server of its node, and since when that is known.
type Report struct {
	// Node is the node's name.
	Node string
	// Version is the enforcer's.
	Version string
	// List is the digest of the list (access.List.Digest) that the file was rendered from; ""
	// where the list was not found.
	List string
	// File is the SHA-256 of the file, in hexadecimal.
	File string
	// Entries is how many entries are in the file, and Kept how many of them are not on the
	// list, but were on one that was deleted.
	Entries, Kept int
	// ProvenUntil is when the API server was last seen refusing what the file refuses; zero
	// where it was not.
	ProvenUntil time.Time
	// APIServer names the API server that was asked, as its metrics do: "sha256:" and a hash
	// of its identity; "" where the metrics do not say (before Kubernetes 1.34).
	APIServer string
	// Problems are what is wrong, in words. They may hold anything.
	Problems []string
	// Renewed is when the report was last renewed.
	Renewed time.Time
}

// LeaseName is the name of the Lease of a node's report.
func LeaseName(node string) string { return reportPrefix + node }

// Lease is the object that holds a report.
func (r Report) Lease() (*coordinationv1.Lease, error) {
	problems := make([]string, 0, mostReported)
	for _, problem := range r.Problems {
		if len(problems) == mostReported {
			break
		}
		problems = append(problems, identity.Shorten(problem, longestReported))
	}
	encoded, err := json.Marshal(problems)
	if err != nil {
		return nil, err
	}
	proven := ""
	if !r.ProvenUntil.IsZero() {
		proven = r.ProvenUntil.UTC().Format(time.RFC3339Nano)
	}
	seconds := int32(ReportDuration / time.Second)
	renewed := metav1.NewMicroTime(r.Renewed)
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: LeaseName(r.Node), Namespace: ReportNamespace,
			Labels: map[string]string{ReportLabel: ReportValue},
			Annotations: map[string]string{
				annotation + "version":      r.Version,
				annotation + "list":         r.List,
				annotation + "file":         r.File,
				annotation + "entries":      strconv.Itoa(r.Entries),
				annotation + "kept":         strconv.Itoa(r.Kept),
				annotation + "proven-until": proven,
				annotation + "api-server":   r.APIServer,
				annotation + "problems":     string(encoded),
			},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &r.Node, LeaseDurationSeconds: &seconds, RenewTime: &renewed},
	}, nil
}

// ReportOf reads the report in a Lease; false if it holds none. What cannot be read of it is
// as if it were not proven.
func ReportOf(lease *coordinationv1.Lease) (Report, bool) {
	node, isNamed := strings.CutPrefix(lease.Name, reportPrefix)
	if !isNamed || lease.Labels[ReportLabel] != ReportValue {
		return Report{}, false
	}
	of := func(name string) string { return lease.Annotations[annotation+name] }
	r := Report{Node: node, Version: of("version"), List: of("list"), File: of("file"), APIServer: of("api-server")}
	if lease.Spec.RenewTime != nil {
		r.Renewed = lease.Spec.RenewTime.Time
	}
	if json.Unmarshal([]byte(of("problems")), &r.Problems) != nil {
		r.Problems = []string{"the report cannot be read"}
	}
	entries, err := strconv.Atoi(of("entries"))
	if err != nil {
		return r, true
	}
	r.Entries = entries
	if r.Kept, err = strconv.Atoi(of("kept")); err != nil {
		return r, true
	}
	if proven, err := time.Parse(time.RFC3339Nano, of("proven-until")); err == nil {
		r.ProvenUntil = proven
	}
	return r, true
}

// IsAlive reports whether a report is renewed: its enforcer runs and reaches the API server.
func (r Report) IsAlive(now time.Time) bool {
	// Clocks differ between machines, in both directions.
	return now.Sub(r.Renewed).Abs() < 2*ReportDuration
}
