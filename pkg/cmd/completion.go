package cmd

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/process"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// shells are those that completion knows, and how cobra writes the script for each.
var shells = []struct {
	name  string
	write func(root *cobra.Command, out io.Writer) error
}{
	{"bash", func(root *cobra.Command, out io.Writer) error { return root.GenBashCompletionV2(out, true) }},
	{"zsh", func(root *cobra.Command, out io.Writer) error { return root.GenZshCompletion(out) }},
	{"fish", func(root *cobra.Command, out io.Writer) error { return root.GenFishCompletion(out, true) }},
	{"powershell", func(root *cobra.Command, out io.Writer) error { return root.GenPowerShellCompletionWithDesc(out) }},
}

const completionCommand = "completion"

func newCompletion(env *cli.Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   completionCommand + " (install | bash | zsh | fish | powershell)",
		Short: "Complete commands, flags, and names from the cluster with the Tab key",
		Long: `Complete "kubectl csr-onboard" with the Tab key: commands and flags, and from the cluster the names
of pending users, users, groups, roles, namespaces and contexts.

"completion install" enables it in every shell in which kubectl's own completion works. It writes a
small script, kubectl_complete-csr_onboard, next to the binary, which kubectl runs.

The other forms print a script that completes the binary under its own name, kubectl-csr_onboard.

` + cli.ExitCodes,
		Example: `  # Once; kubectl's own completion must be set up in the shell
  kubectl csr-onboard completion install --dir ~/bin

  # The binary under its own name, for a line in ~/.bashrc that reads this file
  kubectl csr-onboard completion bash > ~/.kubectl-csr_onboard.bash`,
		Args: cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "what to do is missing"), "for example: %s install", cmd.CommandPath())
		},
	}
	for _, shell := range shells {
		cmd.AddCommand(&cobra.Command{
			Use:   shell.name,
			Short: "Print the script that completes kubectl-csr_onboard in " + shell.name,
			Args:  cli.NoArguments,
			RunE: env.WithoutConnection(func(cmd *cobra.Command, _ []string) error {
				return shell.write(cmd.Root(), env.Streams.Out)
			}),
			ValidArgsFunction: cobra.NoFileCompletions,
		})
	}
	cmd.AddCommand(newCompletionInstall(env))
	return cmd
}

// completionProgram is what kubectl runs to complete the plugin's command line
// (Kubernetes staging/src/k8s.io/kubectl/pkg/cmd/plugin/plugin_completion.go).
const completionProgram = "kubectl_complete-csr_onboard"

func newCompletionInstall(env *cli.Environment) *cobra.Command {
	var directory string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Have kubectl complete this plugin's command line",
		Long: `Write kubectl_complete-csr_onboard next to the binary, or into the directory of --dir, which must
be on PATH. kubectl runs it when you press Tab after "kubectl csr-onboard". To remove the
completion, delete that file, whose path is printed.`,
		Example: `  kubectl csr-onboard completion install --dir ~/bin`,
		Args:    cli.NoArguments,
		RunE: env.WithoutConnection(func(*cobra.Command, []string) error {
			path, err := installCompletion(directory)
			if err != nil {
				return err
			}
			if !process.IsOnPath(filepath.Dir(path)) {
				env.Narrator.Warn(fmt.Sprintf("%s is not on PATH, and kubectl looks there only", filepath.Dir(path)))
			}
			return env.PrintLine("%s", path)
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&directory, "dir", "", "the directory to write it to, on PATH (default: the directory of the binary)")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

// completionScript asks the program, which kubectl finds by the same PATH. On Windows
// kubectl finds what PATHEXT names.
func completionScript() (name, text string) {
	if runtime.GOOS == "windows" {
		return completionProgram + ".cmd", "@" + kubeconfig.Plugin + " " + cobra.ShellCompRequestCmd + " %*\r\n"
	}
	return completionProgram, "#!/bin/sh\n# Made by: " + cli.Program + " " + completionCommand + " install\nexec " + kubeconfig.Plugin + " " + cobra.ShellCompRequestCmd + " \"$@\"\n"
}

func installCompletion(directory string) (path string, _ error) {
	if directory == "" {
		var err error
		if directory, err = process.Directory(kubeconfig.Plugin); err != nil {
			return "", err
		}
	}
	name, text := completionScript()
	path = filepath.Join(directory, name)
	err := store.InstallProgram(path, []byte(text))
	if errors.Is(err, store.ErrForeignProgram) {
		return "", outcome.WithHint(err, "move it away, or name another directory on PATH: --dir DIR")
	}
	if err != nil {
		return "", outcome.AddHint(fmt.Errorf("the completion was not installed: %w", err), "name a directory on PATH that you can write to: --dir DIR")
	}
	return path, nil
}
