// Command compare measures the program as whole processes, in one run on one real
// control plane: one user's onboarding beside the least possible client (see
// bench/least), and reading and approving among many requests beside kubectl. What
// counts is the ratio: the times are this machine's.
//
//	go run ./compare [-runs 30] [-requests 10000] [-o table|json]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

func main() {
	runs := flag.Int("runs", 30, "how often each command is measured")
	requests := flag.Int("requests", 10000, "how many requests there are when lists are measured")
	output := flag.String("o", "table", "table or json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, *runs, *requests, *output)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// figure is one measured command.
type figure struct {
	Name    string        `json:"name"`
	Runs    int           `json:"runs"`
	Minimum time.Duration `json:"minimumNanoseconds"`
	Median  time.Duration `json:"medianNanoseconds"`
	Maximum time.Duration `json:"maximumNanoseconds"`
	// Ratio is the median over the pairs of runs of this command's time to that
	// of the first of its comparison.
	Ratio float64 `json:"ratio"`
}

// comparison is what was measured side by side.
type comparison struct {
	About   string   `json:"about"`
	Figures []figure `json:"figures"`
}

// contender is a command to measure; command prepares its nth run.
type contender struct {
	name    string
	command func(n int) *exec.Cmd
}

func run(ctx context.Context, runs, requests int, output string) (err error) {
	if runs < 1 || requests < 1 || output != "table" && output != "json" {
		return fmt.Errorf("-runs and -requests take 1 or more, and -o table or json")
	}
	home, err := os.MkdirTemp("", "csr-onboard-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home) //nolint:errcheck // A temporary folder.
	ours, err := program.Build(ctx, "..", home)
	if err != nil {
		return err
	}
	least := filepath.Join(home, "least")
	if text, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", least, "./least").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	plane, err := controlplane.Launch(ctx, controlplane.WithProgress(os.Stderr))
	if err != nil {
		return err
	}
	defer plane.Stop() //nolint:errcheck // The keeper ends with this process at the latest.

	env := program.Environment{
		Path: []string{filepath.Dir(ours), filepath.Dir(plane.Binary(controlplane.Kubectl))},
		Home: home, Kubeconfig: plane.Kubeconfig, Directory: home,
	}
	one, err := measure(runs, []contender{
		{"least possible client", func(n int) *exec.Cmd {
			return env.Command(ctx, least, plane.Kubeconfig, fmt.Sprintf("least-%d", n))
		}},
		{"new-user --approve", func(n int) *exec.Cmd {
			return env.Command(ctx, program.Name, "new-user", fmt.Sprintf("user-%d", n), "--group", "dev", "--approve", "--dir", "users")
		}},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "making %d requests\n", requests)
	if err := populate(ctx, plane, requests); err != nil {
		return err
	}
	many, err := measure(min(runs, requests-1, mostReads), []contender{
		{"kubectl get csr", func(int) *exec.Cmd { return env.Command(ctx, controlplane.Kubectl, "get", "csr") }},
		{"list", func(int) *exec.Cmd { return env.Command(ctx, program.Name, "list") }},
		{"approve NAME --yes", func(n int) *exec.Cmd { return env.Command(ctx, program.Name, "approve", waiting(n), "--yes") }},
	})
	if err != nil {
		return err
	}
	comparisons := []comparison{
		{"one user, whole process", one},
		{fmt.Sprintf("among %d requests, whole process", requests), many},
	}
	if output == "json" {
		return json.NewEncoder(os.Stdout).Encode(comparisons)
	}
	for _, c := range comparisons {
		if err := printTable(os.Stdout, c); err != nil {
			return err
		}
	}
	return nil
}

// mostReads bounds how often a long list is read: each takes seconds.
const mostReads = 10

// measure runs the contenders in turn, so that all meet the same weather, after
// one turn that is not counted. The first is what the others are compared with.
func measure(runs int, contenders []contender) ([]figure, error) {
	times := make([][]time.Duration, len(contenders))
	for n := range runs + 1 {
		for i, c := range contenders {
			command := c.command(n)
			begin := time.Now()
			text, err := command.CombinedOutput()
			elapsed := time.Since(begin)
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", c.name, err, text)
			}
			if n > 0 {
				times[i] = append(times[i], elapsed)
			}
		}
	}
	figures := make([]figure, len(contenders))
	for i, c := range contenders {
		ratios := make([]float64, runs)
		for n := range ratios {
			ratios[n] = float64(times[i][n]) / float64(times[0][n])
		}
		figures[i] = figure{
			Name: c.name, Runs: runs,
			Minimum: slices.Min(times[i]), Median: median(times[i]), Maximum: slices.Max(times[i]),
			Ratio: median(ratios),
		}
	}
	return figures, nil
}

func median[T time.Duration | float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func printTable(out io.Writer, c comparison) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "%s\tminimum\tmedian\tmaximum\tratio\n", c.About)
	for _, f := range c.Figures {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.2f\n", f.Name,
			f.Minimum.Round(100*time.Microsecond), f.Median.Round(100*time.Microsecond), f.Maximum.Round(100*time.Microsecond), f.Ratio)
	}
	return table.Flush()
}
