// Command mutate changes the program in small ways and counts the changes that its
// tests notice: conditions are negated and comparisons moved by one, && and || change
// places, statements and checks are left out, constants are one more or one less, and
// zero values are returned. The tests are the unit tests of the changed package, those of
// the first package of its group (cmd of cmd/...) and test/fixture, and of these only those
// that execute the change. A change that nothing executes counts as one that nobody notices.
//
//	go -C .ci/mutate run . [-update] [-every N] [-survivors] [PACKAGE...]
//
// The file scores.txt has a row for each package, or group of packages: the part of the
// changes that are noticed, in percent, rounded down. Where a third column has a number N,
// one change of N is tried, always the same ones: a change to one function leaves the choice in
// all others as it is. The command fails if a part is less than there; -update writes what it is
// now. -every 10 tries one change of ten, for a quick look, and then compares and writes
// nothing. The checkout is never changed:
// all changes of a package are compiled into one binary, from an overlay, and a variable
// of the environment turns one on.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A score is a row of scores.txt.
type score struct {
	pattern string // Below pkg: a package, or all below one (onboard/...).
	percent int
	every   int // One change of so many is tried.
}

func main() {
	update := flag.Bool("update", false, "write the scores")
	every := flag.Int("every", 0, "try one change of `N`, and compare nothing")
	survivors := flag.Bool("survivors", false, "print the changes that no test notices")
	flag.Parse()
	if err := run(*update, *every, *survivors, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

const scoresFile = "scores.txt"

func run(update bool, every int, survivors bool, only []string) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	scores, err := readScores(scoresFile)
	if err != nil {
		return err
	}
	var fell []string
	for i, before := range scores {
		if len(only) > 0 && !slices.Contains(only, before.pattern) {
			continue
		}
		if every > 0 {
			before.every = every
		}
		percent, err := scoreOf(root, before, survivors)
		if err != nil {
			return err
		}
		if percent < before.percent {
			fell = append(fell, fmt.Sprintf("%s from %d to %d %%", before.pattern, before.percent, percent))
		}
		scores[i].percent = percent
	}
	switch {
	case every > 0:
		return nil
	case update:
		return writeScores(scoresFile, scores)
	case len(fell) > 0:
		return fmt.Errorf("tests notice less than before: %s; add tests (make mutate MUTATE='-survivors PACKAGE' says for what)", strings.Join(fell, ", "))
	}
	return nil
}

// scoreOf judges the packages of a pattern and prints what there is to say.
func scoreOf(root string, of score, survivors bool) (int, error) {
	began := time.Now()
	listed, err := goCommand(root, "list", "./pkg/"+of.pattern)
	if err != nil {
		return 0, err
	}
	others := []suite{{filepath.Join(root, "test"), "./fixture"}}
	first, isGroup := strings.CutSuffix(of.pattern, "/...")
	count := map[fate]int{}
	all := 0
	for _, path := range strings.Fields(listed) {
		more := others
		if isGroup && !strings.HasSuffix(path, "/pkg/"+first) {
			more = append([]suite{{root, "./pkg/" + first}}, others...)
		}
		mutants, fates, err := judge(root, path, more, of.every)
		if err != nil {
			return 0, err
		}
		for i, mutant := range mutants {
			count[fates[i]]++
			all++
			if survivors && fates[i] != killed {
				file, _ := filepath.Rel(root, mutant.where.Filename)
				fmt.Printf("%s:%d:%d: %s%s\n", file, mutant.where.Line, mutant.where.Column, mutant.change,
					map[fate]string{notExecuted: " (not executed)"}[fates[i]])
			}
		}
	}
	percent := 100
	if all > 0 {
		percent = count[killed] * 100 / all
	}
	fmt.Printf("%-20s %3d %%  %4d of %4d changes noticed, %4d not executed, %s\n",
		of.pattern, percent, count[killed], all, count[notExecuted], time.Since(began).Round(time.Second))
	return percent, nil
}

func readScores(file string) ([]score, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var scores []score
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) == 2 {
			fields = append(fields, "1")
		}
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: invalid row %q", file, line)
		}
		percent, percentErr := strconv.Atoi(fields[1])
		every, everyErr := strconv.Atoi(fields[2])
		if err := errors.Join(percentErr, everyErr); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		scores = append(scores, score{fields[0], percent, max(1, every)})
	}
	return scores, nil
}

// heading is what scores.txt begins with.
const heading = `# The part of the small changes to a package that tests notice, in percent (make mutate).
# A third column N: one change of N was tried, always the same ones, so that the figure is
# an estimate. With n changes tried, 19 of 20 such estimates are within 100/sqrt(n) of the figure
# that all changes have.
`

func writeScores(file string, scores []score) error {
	var text strings.Builder
	text.WriteString(heading)
	for _, score := range scores {
		fmt.Fprintf(&text, "%-20s %d", score.pattern, score.percent)
		if score.every > 1 {
			fmt.Fprintf(&text, " %d", score.every)
		}
		text.WriteString("\n")
	}
	return os.WriteFile(file, []byte(text.String()), 0o600)
}
