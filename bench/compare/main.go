// Command compare measures the program as whole processes, side by side with others, in
// one run on real control planes. What counts are the ratios: the times are this
// machine's. docs/performance.md says what each comparison is about.
//
//	go run ./compare [-only NAME,…] [-runs 30] [-users 1000] [-requests 10000] [-o table|json] [-picture FILE]
//
// It ends with exit code 1 where a ratio is not what it is to be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// comparisons are what is measured, in this order.
var comparisons = []struct {
	name    string
	measure func(*bench) (*comparison, error)
}{
	{"cached-answer", cachedAnswer},
	{"startup", startUp},
	{"one-user", oneUser},
	{"far", far},
	{"many-clusters", manyClusters},
	{"lists", lists},
	{"ledger", ledgers},
	{"approvals", approvals},
	{"many-users", manyUsers},
	{"many-users-fast", manyUsersFast},
	{"many-users-apart", manyUsersApart},
	{"growth", growth},
}

func main() {
	s := settings{}
	only := flag.String("only", "", "measure these only: "+strings.Join(names(), ", "))
	flag.IntVar(&s.runs, "runs", 30, "how often a short command is measured; one that takes seconds is measured a tenth as often")
	flag.IntVar(&s.users, "users", 1000, "how many users are onboarded at once")
	flag.IntVar(&s.requests, "requests", 10000, "how many requests are listed, and how many users the largest team has")
	output := flag.String("o", "table", "table or json")
	flag.StringVar(&s.picture, "picture", "", "draw how time and memory grow into this file (SVG)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, s, *only, *output)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func names() (all []string) {
	for _, c := range comparisons {
		all = append(all, c.name)
	}
	return all
}

var errBroken = errors.New("not every ratio is what it is to be")

func run(ctx context.Context, s settings, only, output string) (err error) {
	wanted := names()
	if only != "" {
		wanted = strings.Split(only, ",")
	}
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("comparison %q not found; there are %s", name, strings.Join(names(), ", "))
		}
	}
	if s.runs < 1 || s.users < 1 || s.requests < 1 || output != "table" && output != "json" {
		return errors.New("-runs, -users and -requests take 1 or more, and -o table or json")
	}
	b, err := newBench(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	report := newReport(os.Stdout, output)
	for _, c := range comparisons {
		if !slices.Contains(wanted, c.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s\n", c.name)
		measured, err := c.measure(b)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		measured.Name = c.name
		if err := report.add(measured); err != nil {
			return err
		}
	}
	return report.end()
}
