package cmd

import (
	"regexp"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// helpOf is what a command prints for --help, where the width of the terminal is unknown.
func helpOf(t *testing.T, words ...string) string {
	t.Helper()
	r := parse(t, append(words, "--help")...)
	if r.err != nil || r.errOut != "" {
		t.Fatalf("%v: %v, %q", words, r.err, r.errOut)
	}
	return r.out
}

// everyCommand visits all commands with the words that run each.
func everyCommand(t *testing.T, visit func(t *testing.T, command *cobra.Command, words []string)) {
	root := newRootIn(parse(t, "--help").env, commands)
	var each func(command *cobra.Command, words []string)
	each = func(command *cobra.Command, words []string) {
		t.Run(command.CommandPath(), func(t *testing.T) { visit(t, command, words) })
		for _, child := range command.Commands() {
			if child.Name() != "help" {
				each(child, append(words[:len(words):len(words)], child.Name()))
			}
		}
	}
	each(root, nil)
}

func TestHelp_NoLineIsWiderThanTheTerminal(t *testing.T) {
	check := func(t *testing.T, text string) {
		t.Helper()
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\n")
			isWord := !strings.Contains(strings.TrimSpace(line), " ")
			if n := uniseg.StringWidth(line); n > 80 && !isWord {
				t.Errorf("%d columns: %s", n, line)
			}
		}
	}
	everyCommand(t, func(t *testing.T, _ *cobra.Command, words []string) { check(t, helpOf(t, words...)) })
	check(t, parse(t, "options").out)
}

// TestHelp_EachFlagIsListedOnce is for flags that a section would hide, and for those of the
// connection, which the command options has.
func TestHelp_EachFlagIsListedOnce(t *testing.T) {
	connection := parse(t, "options").out
	everyCommand(t, func(t *testing.T, command *cobra.Command, words []string) {
		_, text, _ := strings.Cut(helpOf(t, words...), "\nFlags:\n")
		command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			inHelp := len(regexp.MustCompile(`(?m)^  (-., |    )--`+regexp.QuoteMeta(flag.Name)+`( |$)`).FindAllString(text, -1))
			isConnection := strings.Contains(connection, "--"+flag.Name+" ")
			if flag.Hidden || inHelp == 1 && !isConnection || inHelp == 0 && isConnection {
				return
			}
			t.Errorf("--%s is listed %d times; in options: %t", flag.Name, inHelp, isConnection)
		})
	})
}

func TestHelp_EveryCommandIsInAGroup(t *testing.T) {
	root := newRootIn(parse(t, "--help").env, commands)
	for _, command := range root.Commands() {
		if !root.ContainsGroup(command.GroupID) || command.GroupID == "" {
			t.Errorf("%s is in the group %q", command.Name(), command.GroupID)
		}
	}
	text := helpOf(t)
	for _, group := range groups() {
		if strings.Count(text, "\n"+group.Title+":\n") != 1 {
			t.Errorf("the help has the heading %q not once:\n%s", group.Title, text)
		}
	}
}

func TestHelp_AnExampleThatIsWrappedIsOneCommand(t *testing.T) {
	text := helpOf(t, "new-user")
	const wrapped = "  kubectl csr-onboard new-user --filename team.yaml --approve \\\n      --dry-run=server --dir ./check\n"
	if !strings.Contains(text, wrapped) {
		t.Errorf("the help does not have %q:\n%s", wrapped, text)
	}
}

func TestHelp_WhatPeopleTryLeadsToWhatDoesIt(t *testing.T) {
	for tried, hint := range map[string]string{
		"block": "offboard NAME --block", "delete": "offboard NAME", "unblock": "--unblock", "add": "new-user NAME",
		"whoami": "kubectl auth whoami", "aprove": "did you mean: kubectl csr-onboard approve",
	} {
		r := parse(t, tried, "jane")
		if r.err == nil || ExitCode(r.err) != 2 || !strings.Contains(outcome.Hint(r.err), hint) {
			t.Errorf("%s: %v, hint %q", tried, r.err, outcome.Hint(r.err))
		}
	}
	for alias, name := range map[string]string{"get": "list", "ls": "list", "rotate": "renew"} {
		root := newRootIn(parse(t, "--help").env, commands)
		if found, _, err := root.Find([]string{alias}); err != nil || found.Name() != name {
			t.Errorf("%s is %v, %v", alias, found.Name(), err)
		}
	}
}

func TestHelp_VersionIsAFlagToo(t *testing.T) {
	r := parse(t, "--version")
	if r.steps == nil || r.err != nil {
		t.Errorf("%v %v", r.steps, r.err)
	}
	if r := parse(t, "--version", "--context", "x"); ExitCode(r.err) != 2 {
		t.Errorf("a flag about the connection: %v", r.err)
	}
}
