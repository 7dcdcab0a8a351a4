package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// No flag is ignored in silence: each is kept, or refused with the reason. This file has
// the words for a refusal, and what becomes of kubectl's own flags, which every command has.

// GivenOf lists those of the named flags that were given, as a person writes them.
func GivenOf(set *pflag.FlagSet, names ...string) []string {
	var given []string
	for _, name := range names {
		if set.Changed(name) {
			given = append(given, "--"+name)
		}
	}
	return given
}

// RefuseGiven refuses those of the named flags that were given. why goes behind "does
// nothing", and hint says what to do.
func RefuseGiven(set *pflag.FlagSet, why, hint string, names ...string) error {
	given := GivenOf(set, names...)
	if len(given) == 0 {
		return nil
	}
	do := " does nothing "
	if len(given) > 1 {
		do = " do nothing "
	}
	return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%s%s%s", Enumerated(given), do, why), "%s", hint)
}

// Enumerated writes words as a sentence does: "a", "a and b", "a, b and c".
func Enumerated(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// MayBeEmpty are flags whose empty value says something.
var MayBeEmpty = []string{"message", "output", "template"}

// refuseEmpty refuses flags of the command's own that were given with nothing in them, which
// would be as if they were not: an unset variable in a script must not turn a flag off.
func refuseEmpty(cmd *cobra.Command) error {
	var flagErr error
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		isOwn := cmd.InheritedFlags().Lookup(flag.Name) == nil
		if flagErr == nil && isOwn && flag.Value.Type() == "string" && flag.Value.String() == "" && !slices.Contains(MayBeEmpty, flag.Name) {
			flagErr = emptyErr(flag.Name)
		}
	})
	return flagErr
}

func emptyErr(flag string) error {
	return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--%s is empty", flag), "give it a value, or leave it out")
}

// NamespaceFlag is kubectl's own --namespace. What csr-onboard works on has no namespace,
// except for roles.
const NamespaceFlag = "namespace"

// Connection says which of kubectl's own flags a command, as it was called, makes use of.
// The others are refused.
type Connection struct {
	// isMade says that the command connects to an API server as the flags say, so all of
	// them are kept except for --namespace.
	isMade bool
	// Kept are further flags that are kept.
	Kept []string
	// Why says why the others do nothing, behind "does nothing", and Hint what to do.
	// Required unless isMade.
	Why, Hint string
	// NamespaceWhy and NamespaceHint are the same for --namespace. Optional.
	NamespaceWhy, NamespaceHint string
}

// Connecting is the connection of commands that ask an API server and have no use for a
// namespace.
func Connecting() Connection { return Connection{isMade: true} }

// check refuses the flags that were given and have no use.
func (c Connection) check(cmd *cobra.Command, env *Environment) error {
	set := cmd.Flags()
	var unused []string
	for _, name := range env.ConnectionFlags() {
		// Where a command does not connect, what it does with a flag is its own.
		if given := set.Lookup(name); !c.isMade && slices.Contains(c.Kept, name) && given.Changed && given.Value.Type() == "string" && given.Value.String() == "" {
			return emptyErr(name)
		}
		if name != NamespaceFlag && !c.isMade && !slices.Contains(c.Kept, name) {
			unused = append(unused, name)
		}
	}
	if err := RefuseGiven(set, c.Why, c.Hint, unused...); err != nil || slices.Contains(c.Kept, NamespaceFlag) {
		return err
	}
	why, hint := c.NamespaceWhy, c.NamespaceHint
	if why == "" {
		why, hint = "with "+cmd.Name()+", which uses no namespace", "leave it out"
	}
	return RefuseGiven(set, why, hint, NamespaceFlag)
}

// ConnectionFlags are kubectl's own flags about how to connect.
func (e *Environment) ConnectionFlags() []string {
	set := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	e.Flags.AddFlags(set)
	var names []string
	set.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	return names
}

// CheckConnection does what kubectl does with its own flags in a client's dry run, which
// sends nothing: what they name has to exist.
func (e *Environment) CheckConnection(set *pflag.FlagSet) error {
	if len(GivenOf(set, e.ConnectionFlags()...)) == 0 {
		return nil
	}
	_, _, err := e.Configuration()
	return err
}

// WithoutConnection runs a command that connects to nothing.
func (e *Environment) WithoutConnection(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, arguments []string) error {
		begin(e, cmd)
		defer e.Narrator.Close()
		unused := Connection{Why: "with " + cmd.Name() + ", which asks no server", Hint: "leave it out"}
		if err := unused.check(cmd, e); err != nil {
			return err
		}
		if err := refuseEmpty(cmd); err != nil {
			return err
		}
		return run(cmd, arguments)
	}
}

// CheckPrintFlags refuses kubectl's flags about output that the form of the output has no
// use for. format is what -o says.
func CheckPrintFlags(set *pflag.FlagSet, format string) error {
	takesTemplate := slices.ContainsFunc([]string{"jsonpath", "go-template", "template"}, func(form string) bool { return strings.HasPrefix(format, form) })
	if format == "" && set.Changed("template") {
		// kubectl takes a template alone for -o go-template.
		takesTemplate = true
	}
	if !takesTemplate {
		err := RefuseGiven(set, "without -o go-template or -o jsonpath", "for example: -o go-template --template '{{.metadata.name}}'", "template", "allow-missing-template-keys")
		if err != nil {
			return err
		}
	}
	if format == "json" || format == "yaml" {
		return nil
	}
	return RefuseGiven(set, "without -o json or -o yaml", "add -o yaml", "show-managed-fields")
}

// printFlags are kubectl's flags about output, apart from -o.
var printFlags = []string{"template", "allow-missing-template-keys", "show-managed-fields"}

// RefusePrintFlags refuses kubectl's flags about output where it is not an API object.
func RefusePrintFlags(set *pflag.FlagSet, what string) error {
	return RefuseGiven(set, "for "+what, "they are for API objects", printFlags...)
}
