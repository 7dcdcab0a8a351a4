package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mitchellh/go-wordwrap"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/screen"
)

// Section is a group of flags under one heading in the help of a command.
type Section string

// The sections of flags, in the order in which the help lists them. Flags without a section come
// before all of them, and those of the connection are listed by the command options alone.
const (
	KubeconfigSection Section = "Kubeconfig"
	HandoffSection    Section = "Handoff"
	RBACSection       Section = "RBAC"
	TeamSection       Section = "Team"
	ClustersSection   Section = "Clusters"
	OutputSection     Section = "Output"
	connectionSection Section = "Connection"
)

var sections = []Section{KubeconfigSection, HandoffSection, RBACSection, TeamSection, ClustersSection, OutputSection}

// sectionAnnotation is the annotation of a flag that names its section.
const sectionAnnotation = "csr-onboard.github.io/section"

// In adds flags to a section.
func (s Section) In(flags *pflag.FlagSet, add func(*pflag.FlagSet)) {
	set := pflag.NewFlagSet(string(s), pflag.ContinueOnError)
	add(set)
	set.VisitAll(func(flag *pflag.Flag) {
		if flag.Annotations == nil {
			flag.Annotations = map[string][]string{}
		}
		flag.Annotations[sectionAnnotation] = []string{string(s)}
	})
	flags.AddFlagSet(set)
}

// sectionOf is the section of a flag; "" if it has none.
func sectionOf(flag *pflag.Flag) Section {
	return Section(strings.Join(flag.Annotations[sectionAnnotation], ""))
}

// inSection are the flags of one section.
func inSection(flags *pflag.FlagSet, section Section) *pflag.FlagSet {
	set := pflag.NewFlagSet(string(section), pflag.ContinueOnError)
	flags.VisitAll(func(flag *pflag.Flag) {
		if sectionOf(flag) == section {
			set.AddFlag(flag)
		}
	})
	return set
}

// OptionsCommand is the command that lists the flags of the connection, as kubectl's own does.
const OptionsCommand = "options"

// NewOptions makes the command that lists the flags of the connection.
func NewOptions(env *Environment) *cobra.Command {
	return &cobra.Command{
		Use:   OptionsCommand,
		Short: "List the connection flags of kubectl, which every command has",
		Long: `List the flags of kubectl that say how to connect to the API server. Every command accepts them;
one that a command has no use for is refused.`,
		Example: `  # Use another context of the kubeconfig
  kubectl csr-onboard list --context staging`,
		Args: NoArguments,
		RunE: env.WithoutConnection(func(cmd *cobra.Command, _ []string) error {
			h := help{out: cmd.OutOrStdout(), columns: helpColumns(cmd.OutOrStdout())}
			h.print("The following options can be passed to any command:\n\n")
			h.flags(inSection(cmd.InheritedFlags(), connectionSection))
			return h.err
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

// AddConnectionFlags adds kubectl's own flags about the connection to every command below root.
func AddConnectionFlags(root *cobra.Command, env *Environment) {
	connectionSection.In(root.PersistentFlags(), func(flags *pflag.FlagSet) {
		env.Flags.AddFlags(flags)
		flags.IntVarP(&env.Verbosity, "v", "v", 0, "Number for the log level verbosity: from 1, each call to the API server, with its status and duration; never a body or a header")
	})
}

// RefuseUnknownTopics has the command help of a root, which has its other commands already, refuse a
// command that does not exist.
func RefuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	topic, _, err := root.Find([]string{"help"})
	if err != nil {
		return
	}
	topic.Long, topic.Run = "Print the help of a command, as its flag --help does.", nil
	topic.RunE = func(_ *cobra.Command, arguments []string) error {
		cmd, rest, err := root.Find(arguments)
		switch {
		case err != nil:
			return outcome.Errorf(outcome.ErrUsage, "%w", err)
		case len(rest) > 0 && cmd.HasAvailableSubCommands():
			return unknownCommand(cmd, rest[0])
		}
		cmd.InitDefaultHelpFlag()
		return cmd.Help()
	}
}

// PrintHelp writes the help of a command, no line of which is longer than the terminal is wide.
func PrintHelp(cmd *cobra.Command) {
	h := help{out: cmd.OutOrStdout(), columns: helpColumns(cmd.OutOrStdout())}
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	h.print(h.reflowed(text), "\n\n")
	h.usage(cmd)
}

// help is written to a stream. A stream that cannot be written to ends it.
type help struct {
	out     io.Writer
	columns int
	err     error
}

// widestHelp is the number of columns beyond which lines are hard to read.
const widestHelp = 100

func helpColumns(out io.Writer) int { return min(screen.Columns(out), widestHelp) }

func (h *help) print(texts ...string) {
	for _, text := range texts {
		if h.err == nil {
			_, h.err = io.WriteString(h.out, text)
		}
	}
}

func (h *help) usage(cmd *cobra.Command) {
	h.print("Usage:\n")
	if cmd.Runnable() && cmd.HasParent() {
		h.print(h.hanging("  ", "      ", cmd.UseLine()), "\n")
	}
	if cmd.HasAvailableSubCommands() {
		h.print("  ", cmd.CommandPath(), " [command]\n")
	}
	if len(cmd.Aliases) > 0 {
		h.print("\nAliases:\n  ", strings.Join(append([]string{cmd.Name()}, cmd.Aliases...), ", "), "\n")
	}
	if cmd.HasExample() {
		h.print("\nExamples:\n", h.examples(cmd.Example), "\n")
	}
	h.commands(cmd)
	h.section("Flags", inSection(cmd.LocalFlags(), ""))
	for _, section := range sections {
		h.section(string(section)+" Flags", inSection(cmd.LocalFlags(), section))
	}
	if cmd.HasAvailableSubCommands() {
		h.print("\n", h.reflowed(fmt.Sprintf("Use %q for more information about a command.", cmd.CommandPath()+" [command] --help")), "\n")
	}
	if cmd.Name() != OptionsCommand {
		h.print("\n", h.reflowed(fmt.Sprintf("Use %q for kubectl's connection flags, which every command accepts.", Program+" "+OptionsCommand)), "\n")
	}
}

// commands lists the commands below one, each group under its heading.
func (h *help) commands(cmd *cobra.Command) {
	groups := append(slices.Clone(cmd.Groups()), &cobra.Group{Title: "Available Commands"})
	for _, group := range groups {
		title := "\n" + group.Title + ":\n"
		for _, child := range cmd.Commands() {
			if child.GroupID != group.ID || !child.IsAvailableCommand() {
				continue
			}
			name := fmt.Sprintf("  %-*s ", cmd.NamePadding(), child.Name())
			h.print(title, h.hanging(name, strings.Repeat(" ", len(name)), child.Short), "\n")
			title = ""
		}
	}
}

func (h *help) section(title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		h.print("\n", title, ":\n")
		h.flags(flags)
	}
}

// flagSlop is by how many columns pflag may go over a width, for the end of a text.
const flagSlop = 5

func (h *help) flags(flags *pflag.FlagSet) { h.print(flags.FlagUsagesWrapped(h.columns - flagSlop)) }

// reflowed wraps paragraphs, which blank lines separate. Indented lines stay as they are.
func (h *help) reflowed(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, paragraph := range paragraphs {
		if !strings.HasPrefix(paragraph, " ") {
			paragraphs[i] = wordwrap.WrapString(strings.Join(strings.Fields(paragraph), " "), uint(h.columns))
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// hanging wraps a text behind first, its further lines behind next.
func (h *help) hanging(first, next, text string) string {
	wrapped := wordwrap.WrapString(text, uint(max(h.columns-len(next), 1)))
	return first + strings.ReplaceAll(wrapped, "\n", "\n"+next)
}

// examples wraps examples: comments as comments, and commands so that a shell takes them.
func (h *help) examples(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if len(line) <= h.columns {
			continue
		}
		if comment, isComment := strings.CutPrefix(line, "  # "); isComment {
			lines[i] = h.hanging("  # ", "  # ", comment)
		} else {
			lines[i] = h.continued(line)
		}
	}
	return strings.Join(lines, "\n")
}

// continued breaks a command in front of the last flags that have no room, and continues it in
// the next line.
func (h *help) continued(line string) string {
	const mark = " \\\n      "
	var done strings.Builder
	for len(line) > h.columns {
		end := strings.LastIndex(line[:h.columns-len(" \\")], " -")
		if end <= len("      ") {
			break
		}
		done.WriteString(line[:end] + mark)
		line = line[end+1:]
	}
	return done.String() + line
}
