package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// figure is one measured command.
type figure struct {
	Name    string        `json:"name"`
	Runs    int           `json:"runs"`
	Minimum time.Duration `json:"minimumNanoseconds"`
	Median  time.Duration `json:"medianNanoseconds"`
	Maximum time.Duration `json:"maximumNanoseconds"`
	// Memory is the median of the most that its process had, in bytes.
	Memory int64 `json:"peakMemoryBytes"`
	// Ratio is the median over the turns of this command's time to that of the first
	// of its comparison.
	Ratio float64 `json:"ratio"`

	times  []time.Duration
	ratios []float64
}

// bound is what a ratio or a difference must be.
type bound struct {
	// About says what was divided by what.
	About    string  `json:"about"`
	Measured float64 `json:"measured"`
	AtMost   float64 `json:"atMost"`
	Kept     bool    `json:"kept"`
}

// comparison is what was measured side by side.
type comparison struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Figures []figure `json:"figures"`
	Bounds  []bound  `json:"bounds"`
}

// atMost bounds a ratio that was measured.
func (c *comparison) atMost(most, measured float64, about string) {
	c.Bounds = append(c.Bounds, bound{About: about, Measured: measured, AtMost: most, Kept: measured <= most})
}

// timeAtMost bounds the time of one figure in those of another, turn by turn.
func (c *comparison) timeAtMost(most float64, of, in int) {
	a, b := c.Figures[of], c.Figures[in]
	ratios := make([]float64, len(a.times))
	for n := range ratios {
		ratios[n] = float64(a.times[n]) / float64(b.times[n])
	}
	c.atMost(most, median(ratios), fmt.Sprintf("time of %q in that of %q", a.Name, b.Name))
}

// moreTimeAtMost bounds how much longer one figure takes than another, turn by turn.
func (c *comparison) moreTimeAtMost(most time.Duration, of, in int) {
	a, b := c.Figures[of], c.Figures[in]
	differences := make([]time.Duration, len(a.times))
	for n := range differences {
		differences[n] = a.times[n] - b.times[n]
	}
	c.atMost(milliseconds(most), milliseconds(median(differences)), fmt.Sprintf("milliseconds that %q takes more than %q", a.Name, b.Name))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// memoryAtMost bounds the memory of one figure in that of another.
func (c *comparison) memoryAtMost(most float64, of, in int) {
	a, b := c.Figures[of], c.Figures[in]
	c.atMost(most, float64(a.Memory)/float64(b.Memory), fmt.Sprintf("memory of %q in that of %q", a.Name, b.Name))
}

// report writes comparisons: tables as they are measured, JSON at the end.
type report struct {
	out    io.Writer
	asJSON bool
	all    []*comparison
}

func newReport(out io.Writer, output string) *report {
	return &report{out: out, asJSON: output == "json"}
}

func (r *report) add(c *comparison) error {
	r.all = append(r.all, c)
	if r.asJSON {
		return nil
	}
	return printTable(r.out, c)
}

func (r *report) end() error {
	if r.asJSON {
		encoder := json.NewEncoder(r.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(r.all); err != nil {
			return err
		}
	}
	for _, c := range r.all {
		for _, bound := range c.Bounds {
			if !bound.Kept {
				return errBroken
			}
		}
	}
	return nil
}

func printTable(out io.Writer, c *comparison) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "\n%s: %s\n\n", c.Name, c.About)
	_, _ = fmt.Fprintf(table, "\truns\tminimum\tmedian\tmaximum\tmemory\tratio\n")
	for _, f := range c.Figures {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%.1f MB\t%.2f\n", f.Name, f.Runs,
			rounded(f.Minimum), rounded(f.Median), rounded(f.Maximum), float64(f.Memory)/1e6, f.Ratio)
	}
	_, _ = fmt.Fprintln(table)
	for _, bound := range c.Bounds {
		verdict := "kept"
		if !bound.Kept {
			verdict = "BROKEN"
		}
		_, _ = fmt.Fprintf(table, "%s: %.3g, at most %.3g: %s\n", bound.About, bound.Measured, bound.AtMost, verdict)
	}
	return table.Flush()
}

func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(10 * time.Millisecond)
}
