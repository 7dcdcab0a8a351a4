package options

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
)

// AddRowFlags adds the flags of commands that print rows. example is a JSONPath expression to sort
// by.
func AddRowFlags(cmd *cobra.Command, noHeaders *bool, sortBy *string, example string) {
	cli.OutputSection.In(cmd.Flags(), func(flags *pflag.FlagSet) {
		flags.BoolVar(noHeaders, "no-headers", false, "do not print headers")
		flags.StringVar(sortBy, "sort-by", "", "sort by the field that this JSONPath expression names in an item of -o json, such as "+example)
	})
}

// ValidateRowFlags refuses flags of rows that the form of the output has no use for, and an
// expression that does not parse.
func ValidateRowFlags(set *pflag.FlagSet, format, sortBy string) error {
	if format != "" && format != render.Wide {
		if err := cli.RefuseGiven(set, "with -o "+format+", which has no headers", "leave it out", "no-headers"); err != nil {
			return err
		}
	}
	if err := report.CheckSortBy(sortBy); err != nil {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--sort-by %q is not a valid JSONPath expression: %w", sortBy, err),
			"for example: --sort-by {.user.name}")
	}
	return nil
}
