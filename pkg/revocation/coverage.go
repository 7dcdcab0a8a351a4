package revocation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

// APIServer is an API server of the cluster, as it says itself.
type APIServer struct {
	// Name is the name of its Lease, and ID what its metrics call it.
	Name, ID string
	// Host is the name of its machine.
	Host string
	// Seen is when it last said that it runs, which it does every 10 seconds. The Lease of one
	// that stopped is deleted after an hour.
	Seen time.Time
}

// Guide is where it is explained how a cluster is set up so that it can revoke.
const Guide = "https://github.com/csr-onboard/kubectl-csr-onboard/blob/main/docs/guides/revocation.md"

// Server is whether the list is in force at one API server.
type Server struct {
	// Node is the name of its control-plane node.
	Node string
	// Why says why it is unknown whether it is in force, safe to print; "" if it is.
	Why string
	// IsMissing reports whether a report of it is missing.
	IsMissing bool
	// Report is the report of its enforcer; nil if there is none.
	Report *Report
}

// Coverage tells for each API server whether a list is in force at it, and where entries are
// named, whether each of them is. An API server without an enforcer is one at which it is not.
func Coverage(list access.List, reports []Report, servers []APIServer, now time.Time, entries ...access.Blocked) []Server {
	var all []Server
	// The clock here may be wrong. API servers say all the time that they run, so the last
	// time that one said so is about now by the clocks of the cluster.
	cluster := now
	for i, server := range servers {
		if i == 0 || server.Seen.After(cluster) {
			cluster = server.Seen
		}
	}
	covered := map[string]bool{}
	anonymous := 0
	for _, report := range reports {
		all = append(all, Server{Node: report.Node, Why: report.why(list, []time.Time{now, cluster}, entries), Report: &report})
		if report.APIServer == "" {
			anonymous++
		}
		covered[report.APIServer], covered[report.Node] = true, true
	}
	for _, server := range servers {
		if covered[server.ID] || covered[server.Host] {
			continue
		}
		if anonymous > 0 {
			// An enforcer whose API server has no name in its metrics may be its.
			anonymous--
			continue
		}
		why := "no enforcer reports"
		if silent := cluster.Sub(server.Seen); silent > 2*ReportDuration {
			why += fmt.Sprintf("; the API server was last seen %s ago", silent.Truncate(time.Second))
		}
		all = append(all, Server{Node: server.Host, Why: why, IsMissing: true})
	}
	slices.SortFunc(all, func(a, b Server) int { return strings.Compare(a.Node, b.Node) })
	return all
}

// why says why a list, and entries of it, are not known to be in force.
func (r Report) why(list access.List, nows []time.Time, entries []access.Blocked) string {
	problem := ""
	if len(r.Problems) > 0 {
		problem = ": " + identity.PrintableSentence(r.Problems[0])
	}
	switch {
	case !slices.ContainsFunc(nows, r.IsAlive):
		return fmt.Sprintf("the enforcer has not reported for %s", nows[0].Sub(r.Renewed).Truncate(time.Second))
	case r.ProvenUntil.IsZero():
		return "not proven" + problem
	case r.List != list.Digest():
		return "another version of the list is in force" + problem
	case len(entries) == 0 && r.Kept > 0:
		return fmt.Sprintf("more than the list is in force: %s of one that was deleted", english.Plural(r.Kept, "entry", ""))
	case len(entries) > 0 && len(r.Problems) >= mostReported:
		return "the report has too many problems to tell" + problem
	}
	for _, entry := range entries {
		for _, each := range r.Problems {
			if strings.HasPrefix(each, entry.Key()+":") {
				return identity.PrintableSentence(each)
			}
		}
	}
	return ""
}

// Of says how many of API servers are meant: "2 of 3 API servers".
func Of(count int, servers []Server) string {
	return fmt.Sprintf("%d of %s", count, english.Plural(len(servers), "API server", ""))
}

// InForce counts the API servers at which a list is in force.
func InForce(servers []Server) (count int) {
	for _, server := range servers {
		if server.Why == "" {
			count++
		}
	}
	return count
}
