package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/clusters"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/doctor"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
)

// defaultProbeTimeout is how long doctor waits for a probe: a signer takes
// milliseconds.
const defaultProbeTimeout = 20 * time.Second

// doctorOptions is what doctor takes.
type doctorOptions struct {
	*cli.Environment

	// Probe has one request made and signed. Optional.
	Probe bool
	// Timeout is how long to wait for the probe. Required; has a default.
	Timeout time.Duration
	// Output is the form of what was found. Optional: lines.
	Output string

	clusters options.Clusters
}

// New makes the command doctor.
func New(env *cli.Environment) *cobra.Command {
	o := &doctorOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check whether you can onboard users on this cluster, and if not, why",
		Long: `Check what onboarding depends on: the certificates API, your permissions, whether requests are
signed, whether the API server accepts what is signed, lifetimes, the clock, and the server's
address. Each check is pass, warn, fail or unknown, with one sentence and one thing to do. What
could not be checked is unknown. Amazon EKS does not sign for the signer of client certificates, and
other managed clusters can restrict it: doctor says so.

With --probe, one request for a user without any permission is created, approved, waited for and
deleted. Its private key is discarded, and its certificate expires after ten minutes.

` + cli.ExitCodes,
		Example: `  # Check, and create nothing
  kubectl csr-onboard doctor

  # Check with a request
  kubectl csr-onboard doctor --probe

  # In a script
  kubectl csr-onboard doctor --probe -o json

  # Check several clusters
  kubectl csr-onboard doctor --contexts dev,prod`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.Probe, "probe", false, "create, approve, wait for and delete one request")
	options.AddTimeoutFlag(flags, &o.Timeout, defaultProbeTimeout, "with --probe, how long to wait for its certificate")
	options.AddFormatFlag(cmd, &o.Output, "lines")
	o.clusters.Add(cmd, env)
	return cmd
}

// Complete has nothing to complete.
func (o *doctorOptions) Complete([]string) error { return nil }

// Validate refuses a wait of no time and forms that there are not.
func (o *doctorOptions) Validate() error {
	switch {
	case o.Timeout <= 0:
		return options.NoTimeToWait(o.Timeout)
	case o.FlagSet.Changed("timeout") && !o.Probe:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--timeout does nothing without --probe"), "add --probe")
	}
	if err := o.clusters.Validate(); err != nil {
		return err
	}
	return options.ValidateFormat(o.FlagSet, o.Output, "an examination", "lines")
}

// Read finds the contexts that are meant.
func (o *doctorOptions) Read() error { return o.clusters.Read(o.Environment) }

// Connection implements cli.Steps.
func (o *doctorOptions) Connection() cli.Connection { return cli.Connecting() }

// input is what is checked.
func (o *doctorOptions) input() doctor.Input {
	return doctor.Input{Probe: o.Probe, ProbeTimeout: o.Timeout}
}

// Run examines.
func (o *doctorOptions) Run(ctx context.Context) error {
	if o.clusters.IsGiven() {
		return o.runOnClusters(ctx)
	}
	checks, err := o.examine(ctx, o.Environment)
	if err != nil {
		return err
	}
	if err := render.Checks(o.Streams.Out, o.Output, checks); err != nil {
		return err
	}
	return failure(checks)
}

// examine examines the cluster of an environment.
func (o *doctorOptions) examine(ctx context.Context, on *cli.Environment) ([]doctor.Check, error) {
	work, err := on.Connect()
	if err != nil {
		return nil, err
	}
	checks, err := doctor.Run(ctx, work, o.input())
	flags := cli.ClusterFlagsOf(on)
	for i := range checks {
		checks[i].Advice = flags.Complete(checks[i].Advice)
	}
	return checks, err
}

// runOnClusters is Run for several clusters.
func (o *doctorOptions) runOnClusters(ctx context.Context) error {
	results := options.OnEach(ctx, &o.clusters, o.examine)
	if !clusters.AreFailed(results) {
		if err := render.ChecksOfClusters(o.Streams.Out, o.Output, options.Done(results)); err != nil {
			return err
		}
	}
	for i, result := range results {
		if result.Err == nil {
			results[i].Err = failure(result.Value)
		}
	}
	return clusters.FailureToRead(results, o.Narrator.Tell)
}

// failure is the error of checks that failed; nil if none did.
func failure(checks []doctor.Check) error {
	var failed []string
	for _, check := range checks {
		if check.Verdict == doctor.Fail {
			failed = append(failed, check.Name)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d checks failed: %s", len(failed), len(checks), strings.Join(failed, ", "))
}
