package renew

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/process"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// renewOptions is what renew takes.
type renewOptions struct {
	*cli.Environment

	// Within renews only what expires within this time, or within this fraction of
	// its lifetime. Optional.
	Within string
	// Expiration is how long the new certificate should be good for. Optional: as
	// long as the present one.
	Expiration string
	// All renews every context. Optional.
	All bool
	// Wait waits for the approval. Has a default.
	Wait bool
	// Timeout is how long to wait. Required; has a default.
	Timeout time.Duration
	// Approve approves the request as well. Optional.
	Approve bool
	// Allow names findings to accept then. Optional.
	Allow []string
	// Force starts again. Optional.
	Force bool
	// Exec moves the pair into a credential cache. Optional.
	Exec bool
	// MoveCache has the credential cache follow the context's API server. Optional.
	MoveCache bool
	// DryRun reports whether anything is renewed. Required; has a default.
	DryRun options.DryRun
	// Output is the form of a report. Optional: a line for each context.
	Output string

	context string
	input   renewal.Input
	dryRun  onboard.DryRun
}

// New makes the command renew.
func New(env *cli.Environment) *cobra.Command {
	o := &renewOptions{Environment: env}
	cmd := &cobra.Command{
		Use:     "renew [CONTEXT]",
		Aliases: []string{"rotate"},
		Short:   "Renew the key and certificate of a context before they expire",
		Long: `Renew the client certificate that a context of the kubeconfig logs in with, whatever program
created it; without a CONTEXT, that of the current context. A new key is created, and a request
for the same user and groups is submitted with the present certificate. The new certificate is
waited for and checked, and logs in. Then key and certificate are replaced in the kubeconfig.

An administrator approves the renewal, as any request; its review says that it is one
(self-renewal). While it waits, the present certificate stays in use. The next run finds the request
and continues.

The credential cache that --exec creates belongs to one API server: its address, certificate
authority (CA), tls-server-name and proxy. A context of another API server is refused, because a
kubeconfig from somebody else could take over the cache. If your API server has moved, use
--move-cache.

By default, users cannot create certificate signing requests; an administrator permits it with
grant --renewable. An expired certificate cannot be renewed: see new-user --offline.

` + cli.ExitCodes,
		Example: `  # Renew the certificate of the current context
  kubectl csr-onboard renew

  # With cron: only in the last third of each lifetime, without waiting for an administrator
  kubectl csr-onboard renew --all --within 1/3 --wait=false

  # Which certificates would be renewed?
  kubectl csr-onboard renew --all --within 1/3 --dry-run=client

  # In one command, if you can approve
  kubectl csr-onboard renew --approve

  # From now on, kubectl renews the certificate
  kubectl csr-onboard renew --exec --within 1/3`,
		Args:              atMostOneContext,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cli.OnlyFirst(cli.CompleteFromKubeconfig(env, cli.ContextNames)),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Within, "within", "", "renew only a certificate that expires within this time, such as 7d, or within this fraction of its lifetime, such as 1/3")
	flags.StringVar(&o.Expiration, "expiration", "", "how long the new certificate should be valid, such as 30d (default: as long as the present one)")
	flags.BoolVar(&o.All, "all", false, "renew the certificates of all contexts in the kubeconfig")
	flags.BoolVar(&o.Wait, "wait", true, "wait until the request is approved; otherwise the next run continues")
	options.AddTimeoutFlag(flags, &o.Timeout, options.DefaultTimeout, "how long to wait for the certificate")
	flags.BoolVar(&o.Approve, "approve", false, "approve the request, if you can")
	options.AddAllowFlag(cmd, &o.Allow)
	flags.BoolVar(&o.Force, "force", false, "abandon a renewal that is pending or was denied, and create another key and request")
	flags.BoolVar(&o.Exec, "exec", false, "keep certificate and key out of the kubeconfig from now on: kubectl runs csr-onboard, which renews them before they expire")
	o.DryRun.Add(cmd, "none, or client (only say which certificates would be renewed)")
	options.AddFormatFlag(cmd, &o.Output, "a line for each context")
	flags.BoolVar(&o.MoveCache, "move-cache", false, "make the credential cache use the context's server and certificate authority (CA) from now on")
	return cmd
}

// atMostOneContext takes one CONTEXT or none.
func atMostOneContext(cmd *cobra.Command, arguments []string) error {
	if len(arguments) > 1 {
		return outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "%s accepts one CONTEXT, got %d: %q", cmd.Name(), len(arguments), arguments),
			"for every context: --all")
	}
	return nil
}

// Complete reads what is to be renewed.
func (o *renewOptions) Complete(arguments []string) error {
	o.context = *o.Flags.Context
	if len(arguments) == 1 {
		if arguments[0] == "" {
			return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the CONTEXT is empty"), "name a context, or leave it out for the current one")
		}
		if o.context != "" && o.context != arguments[0] {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "the CONTEXT %q is another than --context %q", arguments[0], o.context),
				"name one context")
		}
		if cli.IsFileName(arguments[0]) {
			return outcome.WithHint(
				outcome.Errorf(outcome.ErrUsage, "%q is a path to a file, not the name of a CONTEXT", arguments[0]),
				"for the file: %s", identity.NewCommand(cli.Program+" renew").Option("--kubeconfig", arguments[0]))
		}
		o.context = arguments[0]
	}
	var err error
	if o.dryRun, err = o.DryRun.Parse(); err != nil {
		return err
	}
	if o.dryRun == onboard.DryRunServer {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--dry-run=server is not possible: a renewal is more than the request"), "use --dry-run=client")
	}
	o.Narrator.In(o.dryRun)
	o.input = renewal.Input{DryRun: o.dryRun != onboard.DryRunNone, Timeout: o.Timeout, Approve: o.Approve, Allow: o.Allow, Force: o.Force, MoveCache: o.MoveCache}
	if !o.Wait {
		o.input.Timeout = 0
	}
	if o.FlagSet.Changed("within") {
		if o.input.Within, err = request.ParseWithin(o.Within); err != nil {
			return fmt.Errorf("--within: %w", err)
		}
	}
	if o.FlagSet.Changed("expiration") {
		if o.input.Lifetime, err = request.ParseLifetime(o.Expiration); err != nil {
			return err
		}
	}
	return nil
}

// parseSpan reads a flag's span of time.
func parseSpan(flag, text string) (time.Duration, error) {
	span, err := request.ParseSpan(text)
	if err != nil {
		return 0, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--%s %q is not a valid duration", flag, text),
			"write days, hours or minutes, for example: --%s 7d", flag)
	}
	return span, nil
}

// Connection implements cli.Steps.
func (o *renewOptions) Connection() cli.Connection { return cli.AsContextsSay("renew") }

// Validate refuses flags that contradict each other or do nothing.
func (o *renewOptions) Validate() error {
	switch {
	case o.Timeout <= 0:
		return options.NoTimeToWait(o.Timeout)
	case !o.Wait && o.FlagSet.Changed("timeout"):
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--timeout does nothing with --wait=false"), "leave one of them out")
	case o.MoveCache && o.All:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--move-cache and --all exclude each other"), "name the one CONTEXT whose API server has moved")
	case o.MoveCache && o.FlagSet.Changed("within"):
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--move-cache and --within exclude each other"), "leave out --within: the cache is moved whether or not its certificate expires soon")
	case o.All && o.FlagSet.Changed("context"):
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--context and --all exclude each other"), "leave one of them out")
	case o.All && o.context != "":
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "a CONTEXT and --all exclude each other"), "leave one of them out")
	case len(o.Allow) > 0 && !o.Approve:
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--allow does nothing without --approve"), "give it to approve, or add --approve")
	}
	if err := options.ValidateFormat(o.FlagSet, o.Output, "this command's report", "a line for each context"); err != nil {
		return err
	}
	return request.CheckAllowable(o.Allow)
}

// Run renews.
func (o *renewOptions) Run(ctx context.Context) error {
	home := o.Home()
	if home == "" {
		return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "no home directory found to keep the key of a renewal in"), "set HOME")
	}
	o.input.Renewals = store.UserRenewals(home)
	all, err := o.Contexts(0)
	if err != nil {
		return err
	}
	if o.All {
		return o.renewAll(ctx, all)
	}
	name, err := all.Named(o.context)
	if err != nil {
		return err
	}
	renewed, err := o.renew(ctx, all, name, o.input)
	if err != nil {
		return err
	}
	if o.Output != "" {
		return report.Renewal(o.Streams.Out, o.Output, report.RenewalResult{Context: renewed.Context, Renewed: renewed})
	}
	return o.print(renewed)
}

// renew renews what one context logs in with.
func (o *renewOptions) renew(ctx context.Context, all *cli.Contexts, name string, in renewal.Input) (*renewal.Renewed, error) {
	var err error
	if in.User, err = all.User(name); err != nil {
		return nil, err
	}
	client, err := all.Connect(name, o.Narrator.Warn)
	if err != nil {
		return nil, err
	}
	work := o.WithoutCluster()
	work.Cluster = client
	if o.Exec && !in.DryRun {
		command, err := process.Command(kubeconfig.Plugin)
		if err != nil {
			return nil, err
		}
		directoryOf := func(user string) (store.UserDirectory, error) { return store.UserDirectoryOf("", o.Home(), user) }
		if in.User, err = renewal.UseCache(ctx, work, in.User, directoryOf, command); err != nil {
			return nil, err
		}
	}
	switch {
	case in.User.Cache != nil:
		in.Renewals = in.User.Cache.Renewals()
	case o.MoveCache:
		return nil, outcome.WithHint(
			outcome.Errorf(outcome.ErrUsage, "--move-cache does nothing: the context %q has no credential cache", name),
			"leave it out")
	}
	resume := renewCommand(o.Environment, name)
	in.Resume, in.Again = resume.String(), resume.Words("--force").String()
	return renewal.Run(ctx, work, in)
}

// renewCommand is what to type to renew what a context logs in with.
func renewCommand(env *cli.Environment, contextName string) identity.Command {
	command := identity.NewCommand(cli.Program + " renew").Argument(contextName)
	if file := *env.Flags.KubeConfig; file != "" {
		command = command.Option("--kubeconfig", file)
	}
	return command
}

// renewAll renews what every context logs in with, each entry once. What goes wrong with one is
// told, and the first such error is the result's.
func (o *renewOptions) renewAll(ctx context.Context, all *cli.Contexts) error {
	sharing, results := o.renewable(all)
	if len(sharing) == 0 && len(results) == 0 {
		return outcome.WithHint(errors.New("no context of the kubeconfig logs in with a client certificate"), "see: kubectl csr-onboard status")
	}
	err := o.renewEach(ctx, all, sharing, func(result report.RenewalResult) error {
		results = append(results, result)
		if result.Err != nil {
			o.Narrator.Tell(renewal.NotRenewed{Context: result.Context, Reason: result.Err})
			return nil
		}
		if o.Output != "" {
			return nil
		}
		return o.print(result.Renewed)
	})
	if o.Output != "" {
		err = cmp.Or(err, report.Renewals(o.Streams.Out, o.Output, results))
	}
	return cmp.Or(err, failureOf(results))
}

// failureOf is the first error of those that were not renewed; nil if all were.
func failureOf(results []report.RenewalResult) error {
	var firstErr error
	failed := 0
	for _, result := range results {
		if result.Err != nil {
			failed++
			firstErr = cmp.Or(firstErr, result.Err)
		}
	}
	if failed > 1 {
		return fmt.Errorf("%d contexts were not renewed; the first: %w", failed, firstErr)
	}
	return firstErr
}

// renewEach renews what contexts log in with, which are together where they share an entry, and
// hands over each result. All requests are submitted before any is waited for.
func (o *renewOptions) renewEach(ctx context.Context, all *cli.Contexts, sharing [][]string, done func(report.RenewalResult) error) error {
	var waiting [][]string
	submitting := o.input
	if !o.Approve {
		submitting.Timeout = 0
	}
	attempt := func(names []string, in renewal.Input) error {
		name := names[0]
		renewed, err := o.renew(ctx, all, name, in)
		for len(names) > 1 && errors.Is(err, cluster.ErrUnreachable) {
			// The same entry may be of a context whose server is there.
			o.Narrator.Tell(renewal.NotRenewed{Context: name, Reason: err})
			names = names[1:]
			name = names[0]
			renewed, err = o.renew(ctx, all, name, in)
		}
		switch {
		case errors.Is(err, outcome.ErrInterrupted):
			return err
		case err != nil:
			return done(report.RenewalResult{Context: name, Err: err})
		case renewed.State == renewal.RenewalPending && in.Timeout == 0 && o.Wait && !o.Approve:
			waiting = append(waiting, names)
			return nil
		}
		return done(report.RenewalResult{Context: name, Renewed: renewed})
	}
	for _, names := range sharing {
		if err := attempt(names, submitting); err != nil {
			return err
		}
	}
	// What was started again once is continued with.
	o.input.Force = false
	for _, names := range waiting {
		if err := attempt(names, o.input); err != nil {
			return err
		}
	}
	return nil
}

// renewable lists the contexts that log in with a client certificate, together where it
// is the same entry that has it.
func (o *renewOptions) renewable(all *cli.Contexts) (sharing [][]string, failures []report.RenewalResult) {
	place := map[string]int{}
	for _, name := range all.CurrentFirst() {
		user, err := all.User(name)
		if errors.Is(err, pair.ErrNoCertificate) {
			continue
		}
		if err != nil {
			o.Narrator.Tell(renewal.NotRenewed{Context: name, Reason: err})
			failures = append(failures, report.RenewalResult{Context: name, Err: err})
			continue
		}
		id := strings.Join([]string{user.Path, user.Entry}, "\x00")
		if _, known := place[id]; !known {
			place[id] = len(sharing)
			sharing = append(sharing, nil)
		}
		sharing[place[id]] = append(sharing[place[id]], name)
	}
	return sharing, failures
}

func (o *renewOptions) print(renewed *renewal.Renewed) error {
	return o.PrintLine("%s %s%s", identity.Printable(renewed.Context), renewed.State, o.dryRun.Note())
}
