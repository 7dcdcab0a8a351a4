package cmd

import (
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the program's version",
		Long: `Print which release of the program this is, and what it was built from.

` + exitCodes,
		Example: `  kubectl csr-onboard version`,
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			commit := ""
			if env.build.Commit != "" {
				commit = " (" + env.build.Commit + " of " + env.build.Date + ")"
			}
			return env.printLine("%s %s%s, %s %s/%s", program, env.build.Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}
