package onboard

// DryRun says how much of a command is done, in kubectl's words.
type DryRun string

const (
	// DryRunNone does all of it.
	DryRunNone DryRun = "none"
	// DryRunClient sends nothing to the cluster.
	DryRunClient DryRun = "client"
	// DryRunServer has the cluster check what would be stored, and store
	// nothing.
	DryRunServer DryRun = "server"
)

// Note is what kubectl puts behind a result, so nobody takes a dry run for the real thing;
// "" where it is the real thing (Kubernetes staging/src/k8s.io/kubectl/pkg/cmd/util,
// PrintFlagsWithDryRunStrategy).
func (d DryRun) Note() string {
	switch d {
	case DryRunClient:
		return " (dry run)"
	case DryRunServer:
		return " (server dry run)"
	}
	return ""
}

// DryRuns lists the forms.
func DryRuns() []DryRun { return []DryRun{DryRunNone, DryRunClient, DryRunServer} }
