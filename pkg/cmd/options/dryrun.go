package options

import (
	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// DryRun is kubectl's own --dry-run.
type DryRun struct {
	value string
}

// Add adds --dry-run.
func (f *DryRun) Add(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVar(&f.value, "dry-run", string(onboard.DryRunNone), usage)
	words := make([]string, 0, len(onboard.DryRuns()))
	for _, known := range onboard.DryRuns() {
		words = append(words, string(known))
	}
	cli.RegisterCompletion(cmd, "dry-run", words)
}

// Parse reads the value. Another one than kubectl knows is an ErrUsage.
func (f *DryRun) Parse() (onboard.DryRun, error) {
	for _, known := range onboard.DryRuns() {
		if f.value == string(known) {
			return known, nil
		}
	}
	return "", outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--dry-run %q is none of none, client and server", f.value),
		"for example: --dry-run=client -o yaml")
}
