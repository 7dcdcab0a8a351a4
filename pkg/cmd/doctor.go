package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/doctor"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
)

// defaultProbeTimeout is how long doctor waits for a probe: a signer takes
// milliseconds.
const defaultProbeTimeout = 20 * time.Second

// doctorOptions is what doctor takes.
type doctorOptions struct {
	*environment

	// Probe has one request made and signed. Optional.
	Probe bool
	// Timeout is how long to wait for the probe. Required; has a default.
	Timeout time.Duration
	// Output is the form of what was found. Optional: lines.
	Output string

	set *pflag.FlagSet
}

func newDoctor(env *environment) *cobra.Command {
	o := &doctorOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out whether this cluster and you can onboard users, and if not, why",
		Long: `Examine what onboarding depends on: the certificates API, what you may do, whether
requests are signed, whether the API server takes what is signed, lifetimes, the
clock, and the server's address. Each check is pass, warn, fail or unknown, with one
sentence and one thing to do; what could not be found out never passes.

With --probe, one request for a user who is nobody is made, approved, waited for and
deleted. Its private key is thrown away, and its certificate is good for ten minutes.

` + exitCodes,
		Example: `  # Look
  kubectl csr-onboard doctor

  # And try
  kubectl csr-onboard doctor --probe

  # For a script
  kubectl csr-onboard doctor --probe -o json`,
		Args:              noArguments,
		RunE:              env.inSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.set = cmd.Flags()
	o.set.BoolVar(&o.Probe, "probe", false, "make, approve, await and delete one throw-away request")
	o.set.DurationVar(&o.Timeout, "timeout", defaultProbeTimeout, "with --probe, how long to wait for its certificate")
	o.set.StringVarP(&o.Output, "output", "o", "", "one of: "+strings.Join(render.Formats(), ", ")+"; lines if not given")
	registerCompletion(cmd, "output", render.Formats())
	return cmd
}

// Complete has nothing to complete.
func (o *doctorOptions) Complete([]string) error { return nil }

// Validate refuses a wait of no time and forms that there are not.
func (o *doctorOptions) Validate() error {
	switch {
	case o.Timeout <= 0:
		return noTimeToWait(o.Timeout)
	case o.set.Changed("timeout") && !o.Probe:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--timeout does nothing without --probe"), "add --probe")
	}
	return validateFormat(o.Output, "an examination", "lines")
}

func (o *doctorOptions) connection() connection { return connecting() }

// Run examines.
func (o *doctorOptions) Run(ctx context.Context) error {
	narrator := render.NewNarrator(o.streams.ErrOut)
	defer narrator.Close()
	work, err := o.connect(narrator)
	if err != nil {
		return err
	}
	checks, err := doctor.Run(ctx, work, doctor.Input{Probe: o.Probe, ProbeTimeout: o.Timeout})
	if err != nil {
		return err
	}
	if err := render.Checks(o.streams.Out, o.Output, checks); err != nil {
		return err
	}
	var failed []string
	for _, check := range checks {
		if check.Verdict == doctor.Fail {
			failed = append(failed, check.Name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d checks failed: %s", len(failed), len(checks), strings.Join(failed, ", "))
	}
	return nil
}
