package report

import (
	"io"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/team"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// teamReport is the form of a team's onboarding for scripts.
type teamReport struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Cluster is the context of the cluster, where there are several.
	Cluster string         `json:"cluster,omitempty"`
	Users   []memberReport `json:"users"`
}

type teamReportList struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Items      []teamReport `json:"items"`
}

// TeamOnClusters is Team for several clusters.
func TeamOnClusters(out io.Writer, format string, all []OnCluster[[]team.Result]) error {
	list := teamReportList{APIVersion: APIVersion, Kind: "TeamReportList", Items: make([]teamReport, len(all))}
	for i, one := range all {
		list.Items[i] = teamForm(one.Cluster, one.Value)
	}
	return encode(out, format, list)
}

type memberReport struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups,omitempty"`
	Line   int      `json:"line,omitempty"`
	State  string   `json:"state"`
	// Request is the request object's name.
	Request    string     `json:"request,omitempty"`
	Kubeconfig string     `json:"kubeconfig,omitempty"`
	NotAfter   *time.Time `json:"notAfter,omitempty"`
	// LoggedIn reports whether the certificate was tried in this run.
	LoggedIn bool   `json:"loggedIn,omitempty"`
	Error    string `json:"error,omitempty"`
	Hint     string `json:"hint,omitempty"`
}

// Team writes what came of many users as JSON or YAML.
func Team(out io.Writer, format string, results []team.Result) error {
	return encode(out, format, teamForm("", results))
}

func teamForm(cluster string, results []team.Result) teamReport {
	report := teamReport{APIVersion: APIVersion, Kind: "TeamReport", Cluster: cluster, Users: make([]memberReport, 0, len(results))}
	for _, result := range results {
		one := memberReport{Name: result.User.Name, Groups: result.User.Groups, Line: result.Line, State: string(result.State), Request: result.Request, LoggedIn: result.LoggedIn}
		if !result.NotAfter.IsZero() {
			end := result.NotAfter.UTC()
			one.NotAfter, one.Kubeconfig = &end, result.Path
		}
		if result.Err != nil {
			one.Error, one.Hint = result.Err.Error(), outcome.Hint(result.Err)
		}
		report.Users = append(report.Users, one)
	}
	return report
}
