package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/controller/approve"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/policies"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/render/report"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// policyOptions is what policy check and policy explain take.
type policyOptions struct {
	Environment

	// Flags are kubectl's own about the connection.
	Flags *genericclioptions.ConfigFlags
	// Files hold the policies to evaluate. Optional: those of the cluster.
	Files []string
	// Output is the form of what is written. Optional.
	Output string
	// Approver is the user as whom the controller decides.
	Approver string
	// FromLedger has the requests of the ledger's records evaluated, and SinceText says for how long
	// back. Optional: the requests of the cluster.
	FromLedger bool
	SinceText  string
}

// defaultSince is for how long back the ledger is read.
const defaultSince = "30d"

// newPolicy makes the commands that evaluate policies and decide nothing. kubectl csr-onboard policy
// runs them, since the plugin does not link what evaluates conditions.
func newPolicy(env Environment) *cobra.Command {
	parent := &cobra.Command{
		Use:   "policy",
		Short: "Evaluate approval policies for requests, and decide nothing",
		Long: `Evaluate approval policies for the requests of a cluster as the controller approver does, and decide
nothing. kubectl csr-onboard policy runs this command.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	parent.AddCommand(newPolicyCheck(env), newPolicyExplain(env))
	return parent
}

func (o *policyOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.Files, "filename", "f", nil, "a file with the policies to evaluate in place of those of the cluster, or - for standard input")
	flags.StringVarP(&o.Output, "output", "o", "", "output format, json or yaml")
	flags.StringVar(&o.Approver, "approver", approve.DefaultAccount, "the user as whom the controller decides")
	// No discovery is cached.
	o.Flags.CacheDir = nil
	o.Flags.AddFlags(flags)
}

func newPolicyCheck(env Environment) *cobra.Command {
	o := &policyOptions{Environment: env, Flags: genericclioptions.NewConfigFlags(false)}
	cmd := &cobra.Command{
		Use:   "check [-f FILE]",
		Short: "Say what policies would decide about the requests of the cluster",
		Long: `Say what policies would decide about each request of the cluster: approve it, deny it, or leave it to
people, and why. Requests that are decided are evaluated as they were when they were created.

--from-ledger evaluates the requests for which the ledger has recorded a certificate since --since, as
far as a record holds a request: what it does not hold is printed.

Exit codes: 0 every policy could be evaluated; 1 one could not, or the check failed; 2 wrong usage,
such as a mistake in a file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("since") && !o.FromLedger {
				return outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--since does nothing without --from-ledger"), "add --from-ledger, or leave it out")
			}
			return o.check(cmd.Context(), cmd.InOrStdin())
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.FromLedger, "from-ledger", false, "evaluate the requests that the ledger has recorded in place of those of the cluster")
	cmd.Flags().StringVar(&o.SinceText, "since", defaultSince, "with --from-ledger, how long ago a request was submitted at most, such as 30d")
	return cmd
}

func newPolicyExplain(env Environment) *cobra.Command {
	o := &policyOptions{Environment: env, Flags: genericclioptions.NewConfigFlags(false)}
	cmd := &cobra.Command{
		Use:   "explain NAME REQUEST [-f FILE]",
		Short: "Show each floor, bound and condition of a policy with its value for a request",
		Long: `Show each floor, bound and condition of a policy with its value for a request, and what all
policies together decide.

Exit codes: 0 done; 1 failed, or the policy cannot be evaluated; 2 wrong usage; 4 policy or request
not found.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, arguments []string) error {
			return o.explain(cmd.Context(), cmd.InOrStdin(), arguments[0], arguments[1])
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *policyOptions) check(ctx context.Context, in io.Reader) error {
	since, err := o.since()
	if err != nil {
		return err
	}
	input, err := o.input(in)
	if err != nil {
		return err
	}
	input.Since = since
	result, err := approve.CheckAll(ctx, input)
	if err != nil {
		return err
	}
	if err := policies.Check(o.Out, o.Output, result); err != nil {
		return err
	}
	if err := o.tellOfLedger(result); err != nil {
		return err
	}
	broken := result.Broken()
	for _, mistake := range broken {
		if _, err := fmt.Fprintln(o.Err, mistake); err != nil {
			return err
		}
	}
	if len(broken) > 0 {
		return outcome.WithHint(fmt.Errorf("%d of %s could not be evaluated", len(broken), english.Plural(len(result.Policies), "policy", "")), "fix the expressions that are named above")
	}
	return nil
}

// since is from when the ledger's records are evaluated; zero for the requests of the cluster.
func (o *policyOptions) since() (time.Time, error) {
	if !o.FromLedger {
		return time.Time{}, nil
	}
	span, err := request.ParseSpan(o.SinceText)
	if err == nil && span <= 0 {
		err = errors.New("it must be longer than zero")
	}
	if err != nil {
		return time.Time{}, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--since %q is not a valid duration", o.SinceText), "write days, hours or minutes, for example 30d, 8h, 90m")
	}
	return o.Now().Add(-span), nil
}

// tellOfLedger says what was evaluated, and without what.
func (o *policyOptions) tellOfLedger(result *approve.Check) error {
	if result.Since.IsZero() {
		return nil
	}
	_, err := fmt.Fprintf(o.Err, "%s since %s, as recorded on the ledger. A record does not hold:\n  %s\n",
		english.Plural(len(result.Requests), "request", ""), result.Since.UTC().Format(time.RFC3339), strings.Join(ledger.UnknownOfRequests(), "\n  "))
	if err == nil && result.NotEvaluated > 0 {
		_, err = fmt.Fprintf(o.Err, "not evaluated: %s that %s not hold who asked for what\n",
			english.Plural(result.NotEvaluated, "record", ""), english.PluralWord(result.NotEvaluated, "does", "do"))
	}
	return err
}

func (o *policyOptions) explain(ctx context.Context, in io.Reader, policyName, requestName string) error {
	input, err := o.input(in)
	if err != nil {
		return err
	}
	result, err := approve.Explain(ctx, input, policyName, requestName)
	if err != nil {
		return err
	}
	if err := policies.Explain(o.Out, o.Output, result); err != nil {
		return err
	}
	if result.Explained.Err != nil {
		return errors.New(identity.PrintableSentence(result.Explained.Err.Error()))
	}
	return nil
}

// input reads the files, and makes a client of kubectl's own flags.
func (o *policyOptions) input(in io.Reader) (approve.CheckInput, error) {
	if o.Output != "" {
		if err := report.CheckFormat(o.Output); err != nil {
			return approve.CheckInput{}, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "-o %q is not a valid output format: %w", o.Output, err), "use json or yaml")
		}
	}
	read, err := o.readPolicies(in)
	if err != nil {
		return approve.CheckInput{}, err
	}
	client, err := o.connect()
	return approve.CheckInput{Cluster: client, Approver: o.Approver, Policies: read, Now: o.Now}, err
}

// readPolicies are the policies of all files; nil if no file is named.
func (o *policyOptions) readPolicies(in io.Reader) ([]*policy.Policy, error) {
	var all []*policy.Policy
	from := map[string]string{}
	for _, path := range o.Files {
		data, err := store.Inputs{Stdin: in}.Read(path)
		if err != nil {
			return nil, outcome.Errorf(outcome.ErrUsage, "--filename %q cannot be read: %w", path, err)
		}
		found, mistakes := policy.Parse(data)
		if len(mistakes) > 0 {
			texts := make([]string, len(mistakes))
			for i, mistake := range mistakes {
				texts[i] = mistake.String()
			}
			return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "%q is not valid: %s", path, strings.Join(texts, "; ")), "see: %s", policy.Guide)
		}
		for _, one := range found {
			if other, isThere := from[one.Name]; isThere {
				return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the policy %q is in %q and in %q", one.Name, other, path), "give each policy a name of its own")
			}
			from[one.Name] = path
		}
		all = append(all, found...)
	}
	return all, nil
}

func (o *policyOptions) connect() (*cluster.Client, error) {
	config, err := o.Flags.ToRESTConfig()
	if err != nil {
		// The error may quote the file.
		return nil, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "the kubeconfig cannot be used"), "check it with: kubectl config view")
	}
	target, credentials, err := cluster.FromKubeconfig(config, "kubernetes")
	if err != nil {
		return nil, err
	}
	return clientTo(o.Environment, target, credentials)
}
