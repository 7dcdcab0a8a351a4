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

// DryRuns lists the forms.
func DryRuns() []DryRun { return []DryRun{DryRunNone, DryRunClient, DryRunServer} }
