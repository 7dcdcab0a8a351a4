package renew

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/options"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/pair"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// statusOptions is what status takes.
type statusOptions struct {
	*cli.Environment

	// FailWithin fails where a certificate ends within this time. Optional.
	FailWithin string
	// Live asks the API server of every context, not only of the chosen one.
	Live bool
	// Output is the form of the list. Optional: a table.
	Output string
	// NoHeaders leaves out the table's first line. Optional.
	NoHeaders bool
	// SortBy is a JSONPath expression of a row's data. Optional.
	SortBy string

	failWithin time.Duration
}

// NewStatus makes the command status.
func NewStatus(env *cli.Environment) *cobra.Command {
	o := &statusOptions{Environment: env}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the user and the expiry of every context in the kubeconfig",
		Long: `List the contexts of the kubeconfig: the user, the groups, the key algorithm, until when the
certificate is valid, whether a renewal is pending, and whether the API server accepts the login
now. A certificate is shown in color when less than a third of its lifetime and less than a week are
left: one of 30 days in its last week, one of 8 hours in its last 2 hours and 40 minutes. One that
csr-onboard renews is shown in color only if its renewal is overdue or has failed; --fail-within
accepts it until then.

Only the current context, or the one in --context, logs in at its API server. With --live every
context does: each sends what the kubeconfig contains, also a token or the content of a tokenFile,
to its server. Use --live only with kubeconfigs that you trust. A context that logs in by running
another program is never tried. -o prints a ContextStatusList.

On a cluster with a ledger, a context that logs in with a certificate also asks for further
certificates of the user that were due to be renewed and were not, and warns of those that are of no
context here. That requires permission to list clientcertificates, which users do not have as a rule:
RBAC cannot permit them to list only their own.

` + cli.ExitCodes,
		Example: `  # Until when is each certificate valid?
  kubectl csr-onboard status

  # Log in as every context, to see which are accepted now
  kubectl csr-onboard status --live

  # In a script: fail if a certificate expires within a week
  kubectl csr-onboard status --fail-within 7d

  # As data
  kubectl csr-onboard status -o json`,
		Args:              cli.NoArguments,
		RunE:              env.InSteps(o),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.FailWithin, "fail-within", "", "exit 1 if a certificate has expired, expires within this time, such as 7d, and does not renew itself, or cannot be read")
	flags.BoolVar(&o.Live, "live", false, "log in as every context, at its own server (default: only as the current context, or that of --context)")
	options.AddFormatFlag(cmd, &o.Output, "a table", "name", render.Wide)
	options.AddRowFlags(cmd, &o.NoHeaders, &o.SortBy, "{.certificate.notAfter}")
	return cmd
}

// Complete reads the limit.
func (o *statusOptions) Complete([]string) (err error) {
	if o.FlagSet.Changed("fail-within") {
		o.failWithin, err = parseSpan("fail-within", o.FailWithin)
	}
	return err
}

// Connection implements cli.Steps.
func (o *statusOptions) Connection() cli.Connection { return cli.AsContextsSay("status") }

// Validate refuses forms that there are not.
func (o *statusOptions) Validate() error {
	if err := options.ValidateFormat(o.FlagSet, o.Output, "a list of contexts", "a table", "name", render.Wide); err != nil {
		return err
	}
	return options.ValidateRowFlags(o.FlagSet, o.Output, o.SortBy)
}

// statusTimeout is how long each API server is waited for.
const statusTimeout = 5 * time.Second

// Run looks.
func (o *statusOptions) Run(ctx context.Context) error {
	all, err := o.Contexts(statusTimeout)
	if err != nil {
		return err
	}
	inputs, notAsked, err := o.inputs(all)
	if err != nil {
		return err
	}
	work := o.WithoutCluster()
	statuses := renewal.Status(ctx, work, inputs)
	if ctx.Err() != nil {
		return outcome.Errorf(outcome.ErrInterrupted, "interrupted")
	}
	if err := report.SortStatuses(statuses, o.SortBy, o.Now()); err != nil {
		return err
	}
	if err := render.Statuses(o.Streams.Out, o.Output, o.NoHeaders, statuses, o.Now()); err != nil {
		return err
	}
	if o.Output == "" || o.Output == "name" || o.Output == render.Wide {
		for _, status := range statuses {
			if status.Problem != "" {
				o.Narrator.Warn(fmt.Sprintf("%s: %s", status.Name, status.Problem))
			}
			if count := len(status.Unrenewed); count > 0 {
				o.Narrator.Tell(renewal.OthersUnrenewed{Context: status.Name, User: status.User.Name, Certificates: count})
			}
		}
		if notAsked > 0 {
			o.Narrator.Tell(onboard.ContextsNotAsked{Contexts: notAsked})
		}
	}
	return o.checkEnds(statuses)
}

// inputs are the contexts to look at, and how many of them could log in and do not, because
// nobody chose them. Nothing is sent.
func (o *statusOptions) inputs(all *cli.Contexts) (inputs []renewal.ContextInput, notAsked int, _ error) {
	names := slices.Sorted(maps.Keys(all.Raw.Contexts))
	chosen := all.Raw.CurrentContext
	if only := *o.Flags.Context; only != "" {
		chosen = only
		if _, err := all.Named(only); err != nil {
			return nil, 0, err
		}
		names = []string{only}
	}
	inputs = make([]renewal.ContextInput, len(names))
	for i, name := range names {
		inputs[i] = o.contextInput(all, name)
		if !o.Live && name != chosen && inputs[i].Connect != nil {
			// The author of the kubeconfig chose the server and what is sent there.
			inputs[i].Connect = nil
			notAsked++
		}
	}
	return inputs, notAsked, nil
}

func (o *statusOptions) contextInput(all *cli.Contexts, name string) renewal.ContextInput {
	in := renewal.ContextInput{Name: name, IsCurrent: name == all.Raw.CurrentContext, Login: all.Login(name)}
	in.ReadCertificate = func() *pki.Certificate {
		return pair.ReadCertificate(all.Raw.AuthInfos[all.Raw.Contexts[name].AuthInfo])
	}
	connect := func() (*cluster.Client, error) { return all.Connect(name, o.Narrator.Warn) }
	user, err := all.User(name)
	switch {
	case err == nil:
		if user.Cache == nil && store.IsStream(user.Path) {
			user.Loaded = all.Raw.AuthInfos[user.Entry]
		}
		in.User, in.Connect = &user, connect
		in.Renewals = store.UserRenewals(o.Home())
		if user.Cache != nil {
			in.Renewals = user.Cache.Renewals()
		}
	case !errors.Is(err, pair.ErrNoCertificate):
		in.UserErr = err
	case !all.RunsPrograms(name):
		in.Connect = connect
	}
	return in
}

// checkEnds fails where a certificate ends too soon.
func (o *statusOptions) checkEnds(statuses []renewal.ContextStatus) error {
	if !o.FlagSet.Changed("fail-within") {
		return nil
	}
	var ending, unread []string
	for _, status := range statuses {
		switch {
		case status.IsUnread:
			unread = append(unread, identity.Quote(status.Name))
		case status.ExpiresUnrenewed(o.failWithin, o.Now()):
			ending = append(ending, identity.Quote(status.Name))
		}
	}
	switch {
	case len(ending) == 0 && len(unread) == 0:
		return nil
	case len(ending) == 0:
		return outcome.WithHint(
			fmt.Errorf("it is unknown until when %d of %s can log in: %s", len(unread), english.Plural(len(statuses), "context", ""), strings.Join(unread, ", ")),
			"their certificates cannot be read; see why: %s status", cli.Program)
	}
	return outcome.WithHint(
		fmt.Errorf("%d of %s %s in with a certificate that has expired or expires within %s: %s", len(ending), english.Plural(len(statuses), "context", ""), english.PluralWord(len(ending), "logs", "log"), o.FailWithin, strings.Join(ending, ", ")),
		"renew each that has not expired: %s renew CONTEXT", cli.Program)
}
