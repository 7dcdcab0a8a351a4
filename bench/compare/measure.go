package main

import (
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// contender is a command to measure.
type contender struct {
	name string
	// command prepares its nth run.
	command func(n int) *exec.Cmd
}

// measure runs the contenders in turn, so that all meet the same weather, after one
// turn that is not counted. The first is what the others are compared with.
func measure(runs int, contenders ...contender) ([]figure, error) {
	return measureTurns(1, runs, contenders)
}

// measureOnce is measure for what takes too long to be done for nothing.
func measureOnce(runs int, contenders ...contender) ([]figure, error) {
	return measureTurns(0, runs, contenders)
}

func measureTurns(skipped, runs int, contenders []contender) ([]figure, error) {
	times := make([][]time.Duration, len(contenders))
	memory := make([][]int64, len(contenders))
	for n := range skipped + runs {
		for i, c := range contenders {
			command := c.command(n)
			if err := program.ForgetPeakMemory(); err != nil {
				return nil, err
			}
			begin := time.Now()
			text, err := command.CombinedOutput()
			elapsed := time.Since(begin)
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", c.name, err, text)
			}
			if n >= skipped {
				times[i] = append(times[i], elapsed)
				memory[i] = append(memory[i], program.PeakMemory(command))
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
			Memory: median(memory[i]), Ratio: median(ratios), ratios: ratios, times: times[i],
		}
	}
	return figures, nil
}

func median[T time.Duration | float64 | int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
